"""Each channel against a real counterpart: raised once, reminded on time, cleared once, and told after an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import httpx
import orjson
import pytest

from dlq_monitor.alerting.book import Book, Patience
from dlq_monitor.alerting.channels.base import DeliveryError
from dlq_monitor.alerting.composing import channels
from dlq_monitor.alerting.courier import Courier
from dlq_monitor.alerting.model import Condition, Notice
from dlq_monitor.settings import DlqSettings
from tests.support.counterparts import Mailbox, Sink
from tests.support.nodes import free_port
from tests.support.waiting import eventually
from warren.errors import SettingsError
from warren.messaging import Publisher

START = datetime(2026, 1, 23, 12, tzinfo=UTC)
CLEARED = START + timedelta(seconds=7215)
MUTE = Condition("queue_without_consumers", "error", "nobody consumes a <queue>", {"queue": "a"})


class Counterpart(Protocol):
    def running(self) -> AbstractAsyncContextManager[object]: ...


@dataclass
class Case:
    """A channel with its counterpart; `kinds()` is what the counterpart was told so far, in its own words."""

    courier: Courier
    counterpart: Counterpart

    def kinds(self) -> list[str]:
        if isinstance(self.counterpart, Mailbox):
            return [str(m["Subject"]).split()[1].rstrip(":") for m in self.counterpart.mails]
        assert isinstance(self.counterpart, Sink)
        return [_kind(self.courier.channel.name, t.body) for t in self.counterpart.taken]


def _kind(channel: str, body: bytes) -> str:
    if channel == "webhook":
        return str(orjson.loads(body)["kind"])
    if channel == "slack":
        return str(orjson.loads(body)["text"]).lstrip("*").split()[0].rstrip(":")
    if channel == "sentry":
        return str(orjson.loads(body.splitlines()[2])["tags"]["notice"])
    [alert] = orjson.loads(body)
    return "cleared" if datetime.fromisoformat(alert["endsAt"]) == CLEARED else "raised"


@pytest.fixture(params=["webhook", "slack", "sentry", "alertmanager", "mail"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    name, port = request.param, free_port()
    sink, mailbox = Sink(port), Mailbox(tmp_path, port)
    settings = {
        "webhook": {"alert_webhook_url": f"{sink.url}/hook", "alert_webhook_token": "secret"},
        "slack": {"alert_slack_url": f"{sink.url}/services/T/B"},
        "sentry": {"alert_sentry_dsn": f"http://key@127.0.0.1:{port}/sub/7"},
        "alertmanager": {"alert_alertmanager_url": sink.url},
        "mail": {
            "alert_smtp_url": mailbox.url,
            "alert_smtp_ca": str(mailbox.ca),
            "alert_mail_from": "warren@example.org",
            "alert_mail_to": "ada@example.org, bob@example.org",
        },
    }[name]
    if name == "mail":
        mailbox.certify()
    async with httpx.AsyncClient() as http:
        [channel] = [c for c in channels(DlqSettings(**settings), _no_publisher(), http) if c.name == name]  # type: ignore[arg-type]
        courier = Courier(channel, _ignore, retry=60)
        running = asyncio.create_task(courier.run())
        yield Case(courier, mailbox if name == "mail" else sink)
        running.cancel()
        await asyncio.wait([running])


def _no_publisher() -> Publisher:
    return None  # type: ignore[return-value]  # facts are not looked at here


async def _ignore(_: str, __: Notice) -> None:
    """Nobody keeps account."""


async def test_raised_once_reminded_on_time_cleared_once(case: Case) -> None:
    book = Book(START, Patience(reminder=3600, quiet=0, settle=15), [case.courier.channel.name])
    async with case.counterpart.running():
        for second in (*range(0, 7200, 100), 7200, 7215, 7300, 7400):
            now = START + timedelta(seconds=second)
            for notice in book.turn({"watch": [MUTE] if second < 7200 else []}, now).notices:
                if notice.kind != "refresh":
                    case.courier.hand(notice)
            await eventually(lambda: case.courier.waiting == 0)
    reminders = [] if case.courier.channel.name == "alertmanager" else ["reminder"]
    wanted = ["raised", *reminders, "cleared"]
    assert [k.replace("still", "reminder") for k in case.kinds()] == wanted
    assert case.courier.reason == ""


async def test_what_cannot_be_told_is_told_when_the_counterpart_is_there(case: Case) -> None:
    [notice] = Book(START, Patience(quiet=0)).turn({"watch": [MUTE]}, START).notices
    case.courier.hand(notice)
    await eventually(lambda: case.courier.reason)
    with pytest.raises(DeliveryError, match="1 notices wait"):
        await case.courier.probe()
    assert "secret" not in case.courier.reason
    async with case.counterpart.running():
        await eventually(lambda: case.kinds() == ["raised"])
        await eventually(lambda: case.courier.waiting == 0)
    await case.courier.probe()


async def test_what_each_says(case: Case) -> None:
    condition = Condition("queue_backlog", "warning", "b holds <1,000> messages", {"queue": "b"})
    [notice] = Book(START, Patience(quiet=0)).turn({"watch": [MUTE, condition]}, START).notices
    async with case.counterpart.running():
        await eventually(lambda: _sent(case, notice))
    if isinstance(case.counterpart, Mailbox):
        [mail] = case.counterpart.mails
        assert mail["Subject"].startswith("[Warren] 2 alerts raised since the start of dlq-monitor: queue_without")
        assert (mail["From"], mail["X-Recipients"]) == ("warren@example.org", "ada@example.org,bob@example.org")
        assert "error: queue_without_consumers a: nobody consumes a <queue>" in mail.get_content()
        return
    assert isinstance(case.counterpart, Sink)
    taken = case.counterpart.taken
    match case.courier.channel.name:
        case "webhook":
            [sent] = taken
            assert sent.headers["authorization"] == "Bearer secret"
            assert [a["labels"] for a in sent.json["alerts"]] == [{"queue": "a"}, {"queue": "b"}]
        case "slack":
            assert taken[0].json["text"].splitlines()[1:] == [
                "🔴 queue_without_consumers a: nobody consumes a &lt;queue&gt;",
                "🟠 queue_backlog b: b holds &lt;1,000&gt; messages",
            ]
        case "sentry":
            assert {t.path for t in taken} == {"/sub/api/7/envelope/"}
            assert "sentry_key=key" in taken[0].headers["x-sentry-auth"]
            header, item, event = (orjson.loads(line) for line in taken[0].body.splitlines())
            assert (item, event["level"], event["event_id"]) == ({"type": "event"}, "error", header["event_id"])
        case "alertmanager":
            assert [a["labels"]["alertname"] for a in taken[0].json] == ["queue_without_consumers", "queue_backlog"]


async def _sent(case: Case, notice: Notice) -> bool:
    """Deliver past the queue, once the counterpart listens."""
    try:
        await case.courier.test(notice)
    except DeliveryError:
        return False
    return True


async def test_a_channel_that_refuses_keeps_no_other_waiting() -> None:
    bad, good = Sink(free_port(), status=500), Sink(free_port())
    urls = {"alert_webhook_url": bad.url, "alert_slack_url": good.url}
    async with bad.running(), good.running(), httpx.AsyncClient() as http:
        told = [c for c in channels(DlqSettings(**urls), _no_publisher(), http) if c.name in {"webhook", "slack"}]  # type: ignore[arg-type]
        couriers = [Courier(c, _ignore, retry=60) for c in told]
        running = [asyncio.create_task(c.run()) for c in couriers]
        [notice] = Book(START, Patience(quiet=0)).turn({"watch": [MUTE]}, START).notices
        for courier in couriers:
            courier.hand(notice)
        await eventually(lambda: len(good.taken) == 1)
        await eventually(lambda: "500" in couriers[0].reason)
        for task in running:
            task.cancel()
        await asyncio.wait(running)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WARREN_ALERT_SMTP_URL", "http://a"),
        ("WARREN_ALERT_SMTP_URL", "smtp://mail.example.org"),
        ("WARREN_ALERT_SENTRY_DSN", "https://sentry.example.org/7"),
        ("WARREN_ALERT_SLACK_URL", "hooks.slack.com/x"),
    ],
)
def test_wrong_addresses_are_named_at_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="WARREN_") as e:
        DlqSettings.load()
    assert name in str(e.value)
