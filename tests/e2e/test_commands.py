"""The `warren` command on a running stack: status, trace, dead letters, audit, import."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from pathlib import Path

import aio_pika
import httpx
import pytest

from tests.support.stack import WARREN, Stack, enter
from tests.support.waiting import eventually

LOGS = Path(__file__).parents[3] / "shared" / "data" / "irc"


def test_status_tells_programs_what_runs(stack: Stack) -> None:
    status = stack.status()
    assert len(status["gateways"]) == 2
    assert set(status["services"]) == {"chat", "presence", "audit", "dlq-monitor"}
    names = {p["name"] for p in status["processes"]}
    assert names == {
        "gateway-1",
        "gateway-2",
        "chat",
        "presence",
        "audit",
        "dlq-monitor",
        "broker",
        "store",
        "balancer",
    }
    assert all(Path(f"/proc/{p['pid']}").exists() for p in status["processes"])


async def test_every_service_answers_for_operations(stack: Stack, http: httpx.AsyncClient) -> None:
    status = stack.status()
    for url in (*status["gateways"], *status["services"].values()):
        for path in ("/livez", "/readyz", "/health", "/lb", "/metrics", "/info"):
            answer = await http.get(url + path)
            assert answer.status_code == 200, url + path
        health = (await http.get(f"{url}/health")).json()
        assert health["neighbours"]["broker"]["essential"] is True
        assert (await http.get(f"{url}/info")).json()["contracts"]


async def test_one_trace_from_the_frame_to_the_last_consumer(stack: Stack, room: str) -> None:
    status = stack.status()
    connection = await aio_pika.connect(status["amqp"])
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        for exchange in ("warren.commands", "warren.events"):
            await queue.bind(exchange, "#")
        async with await enter(stack.gateways[0], "Ann", room) as ann:
            await ann.send_json({"type": "message", "id": "traced", "room": room, "body": "follow me"})
            trace = (await ann.expect("message", id="traced"))["trace"]
        seen: dict[str, str] = {}
        async with asyncio.timeout(10):
            while {"message.post.v1", "message.posted.v1"} - seen.keys():
                message = await queue.get(fail=False, no_ack=True)
                if message is not None and room.encode() in message.body:
                    seen[message.type or ""] = str(message.headers.get("traceparent"))
    assert seen["message.post.v1"].split("-")[1] == trace
    assert seen["message.posted.v1"].split("-")[1] == trace
    for name in ("gateway-1", "chat", "audit"):
        await eventually(lambda name=name: trace in json.dumps(stack.logs(name)), what=f"{name} logs the trace")  # type: ignore[misc]

    def told() -> dict[str, list[str]] | None:
        ran = stack.run("trace", trace, "--json")
        if ran.returncode:
            return None
        steps = json.loads(ran.stdout)["traces"][0]["steps"]
        found: dict[str, list[str]] = {}
        for step in steps:
            found.setdefault(step["who"], []).append(step["what"])
        return found if any("recorded message.posted" in w for w in found.get("audit", [])) else None

    way = await eventually(told, 15, interval=0.3)
    assert "published message.post.v1" in way["gateway"]
    assert "published message.posted.v1" in way["chat"]
    assert "messages accepted" in way["gateway-1"]


async def test_garbage_is_parked_looked_at_replayed_and_discarded(stack: Stack) -> None:
    connection = await aio_pika.connect(stack.status()["amqp"])
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("warren.commands", ensure=False)
        garbage = aio_pika.Message(b"\xff\xfe not json", message_id="garbage-1", type="message.post.v1")
        await exchange.publish(garbage, "chat.3")

    def listed(*filters: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(stack.run("dlq", "list", "--json", *filters).stdout)["items"]
        return [i for i in found if i["message_id"] == "garbage-1"]

    (letter,) = await eventually(listed, 15, interval=0.3)
    assert letter["queue"] == "chat.commands.3-of-16"
    assert letter["status"] == "held"
    shown = stack.run("dlq", "show", letter["id"])
    assert "ContractError" in shown.stdout
    replayed = stack.run("dlq", "replay", letter["id"], "--reason", "a test")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    again = await eventually(lambda: [i for i in listed() if i["status"] == "held"], 15, interval=0.3)
    assert again[0]["id"] != letter["id"]
    refused = stack.run("dlq", "replay", letter["id"])
    assert refused.returncode == 1
    discarded = stack.run("dlq", "discard", again[0]["id"], "--reason", "it is garbage")
    assert discarded.returncode == 0, discarded.stdout + discarded.stderr
    assert {i["status"] for i in listed()} == {"returned", "discarded"}


def test_the_record_is_whole(stack: Stack) -> None:
    verified = stack.run("audit", "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["ok"] is True


async def test_the_management_ui_explains_itself(stack: Stack, http: httpx.AsyncClient) -> None:
    api = stack.status()["management"] + "/api"
    queues = {q["name"]: q for q in (await http.get(f"{api}/queues")).json()}
    assert {f"chat.commands.{p}-of-16" for p in range(16)} < set(queues)
    assert {"presence.events", "audit.events", "chat.dead", "chat.retry.5s"} < set(queues)
    exchanges = {e["name"] for e in (await http.get(f"{api}/exchanges")).json()}
    assert {"warren.commands", "warren.events", "warren.ephemeral", "warren.dead"} < exchanges

    async def tags() -> set[str] | None:
        found = {c["consumer_tag"] for c in (await http.get(f"{api}/consumers")).json()}
        return found if any(t.startswith("chat:chat.commands.0-of-16") for t in found) else None

    named = await eventually(tags, 15, what="consumer tags name service and queue", interval=0.5)
    assert any(t.startswith("audit:audit.events") for t in named)
    connections = {c["user_provided_name"] for c in (await http.get(f"{api}/connections")).json()}
    assert {"chat work", "chat facts", "gateway-1 commands", "gateway-1 feed"} < connections


@pytest.mark.timeout(280)
@pytest.mark.skipif(not LOGS.is_dir(), reason=f"the IRC logs are not at {LOGS}")
def test_real_logs_import_without_difference_through_two_gateways(stack: Stack, room: str) -> None:
    """Both logs, and one of them into two rooms at the same time."""
    first, second = sorted(LOGS.glob("*.raw.txt"))
    urls = [argument for url in stack.gateways for argument in ("--url", url)]
    imports = [
        subprocess.Popen(
            [WARREN, "import", "irc", log, "--room", f"{room}-{n}", "--speed", "max", *urls, "--data", stack.data],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        )
        for n, log in enumerate((first, second, second))
    ]  # fmt: skip
    for running in imports:
        output, _ = running.communicate(timeout=270)
        assert running.returncode == 0, output
        assert "holds exactly what the log says" in " ".join(output.split()), output


def test_talking_from_a_terminal(stack: Stack, room: str) -> None:
    said = subprocess.run(
        [WARREN, "chat", room, "--name", "Zoe", "--data", stack.data],
        input="first line\nsecond line\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    heard = stack.run("chat", room, "--json")
    (joined,) = [f for f in map(json.loads, heard.stdout.splitlines()) if f["type"] == "joined"]
    entries = joined["entries"]
    assert [(e["user"]["name"], e["body"]) for e in entries] == [("Zoe", "first line"), ("Zoe", "second line")]


@pytest.mark.parametrize(
    "arguments",
    [("trace", "0" * 32), ("dlq", "show", "nothing"), ("audit", "search", "--since", "yesterday-ish")],
    ids=" ".join,
)
def test_mistakes_get_a_sentence_not_a_trace_back(stack: Stack, arguments: tuple[str, ...]) -> None:
    ran = stack.run(*arguments)
    assert ran.returncode in {1, 2}
    assert "Traceback" not in ran.stdout + ran.stderr
    assert (ran.stdout + ran.stderr).strip()


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("chat --json", 1),
        ("chat", 1),
        ("status --json", 0),
        ("status", 0),
        ("dlq watch --json", 0),
        ("dlq export", 0),
        ("audit search", 1),
    ],
)
def test_a_reader_that_goes_away_ends_the_command_quietly(stack: Stack, command: str, lines: int) -> None:
    code, said = _read_only(stack, command, lines)
    assert code in {0, 1}, said  # 0 where it had written all before the reader went
    assert not re.search("Traceback|[Ee]rror", said), said


def test_a_reader_that_goes_away_ends_a_scripts_background_job_too(stack: Stack) -> None:
    """The shell lets it ignore SIGINT."""
    assert _read_only(stack, "chat --json", 1, interrupts=signal.SIG_IGN) == (1, "")


def _read_only(stack: Stack, command: str, lines: int, interrupts: signal.Handlers = signal.SIG_DFL) -> tuple[int, str]:
    """Run `warren … | head -n lines`; returns its exit code and its standard error.

    Standard input stays open, and has something to say: only the reader's going can be the end.
    """
    with subprocess.Popen(
        [WARREN, *command.split(), "--data", stack.data],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, interrupts),  # noqa: PLW1509 - nothing else runs in between
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(b"hello\n" * 3)
        running.stdin.flush()
        for _ in range(lines):
            assert running.stdout.readline()
        running.stdout.close()
        try:
            code = running.wait(30)
        finally:
            running.kill()
        return code, running.stderr.read().decode()
