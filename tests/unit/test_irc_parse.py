"""Reading IRC logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.irc.parse import Kind, Line, parse
from warren.irc.script import Do, write_script

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "irc"


def one(text: str) -> Line:
    (line,) = parse(text.encode())
    return line


@pytest.mark.parametrize(
    ("text", "kind", "nick", "said"),
    [
        ("[10:00] <ada> hello", Kind.MESSAGE, "ada", "hello"),
        ("[10:00] <ada>  two spaces, a <tag> ", Kind.MESSAGE, "ada", " two spaces, a <tag> "),
        ("[10:00] <ada> ", Kind.MESSAGE, "ada", ""),
        ("[10:00] <ada>", Kind.MESSAGE, "ada", ""),
        ("[10:00] <[Monk] > hi", Kind.MESSAGE, "[Monk]", "hi"),
        ("[10:00] <st[r] ange> hi", Kind.MESSAGE, "st[r] ange", "hi"),
        ("[10:00:59] <ada> with seconds", Kind.MESSAGE, "ada", "with seconds"),
        ("[10:00]  * ada waves", Kind.ACTION, "ada", "waves"),
        ("=== ada waves at bob", Kind.ACTION, "ada", "waves at bob"),
        ("=== ada is away: has left #nowhere in mind", Kind.ACTION, "ada", "is away: has left #nowhere in mind"),
        ("=== ada [~a@host.example]  has joined #room", Kind.JOIN, "ada", ""),
        ("=== [Monk]  [m@1.2.3.4]  has joined #room", Kind.JOIN, "[Monk]", ""),
        ('=== ada [~a@2001:db8::1]  has left #room ["bye [x]"]', Kind.LEAVE, "ada", '["bye [x]"]'),
        ("=== ada [~a@host]  has left #room []", Kind.LEAVE, "ada", "[]"),
        ("=== ada [~a@host]  has quit [Read error]", Kind.QUIT, "ada", "[Read error]"),
        ("=== ada was kicked off #room by bob (go)", Kind.LEAVE, "ada", "off #room by bob (go)"),
        ("=== ada is now known as ada|away", Kind.RENAME, "ada", "ada|away"),
        ("=== netjoined: a.example -> b.example", Kind.NOTE, "", "netjoined: a.example -> b.example"),
        ("=== mode/#room [+o ada] by bob", Kind.NOTE, "", "mode/#room [+o ada] by bob"),
        ("=== ada changed the topic of #room to: x", Kind.NOTE, "", "ada changed the topic of #room to: x"),
        ("=== ada", Kind.NOTE, "", "ada"),
        ("no line of a log", Kind.NOTE, "", "no line of a log"),
        ("[10:00] -ada- a notice", Kind.NOTE, "", "-ada- a notice"),
    ],
)
def test_a_line(text: str, kind: Kind, nick: str, said: str) -> None:
    assert one(text) == Line(1, 0, kind, nick, said)


def test_an_action_of_a_nick_with_a_space_even_before_it_speaks() -> None:
    action, message = parse(b"=== st[r] ange waves\n[10:00] <st[r] ange> hi")
    assert (action.kind, action.nick, action.text) == (Kind.ACTION, "st[r] ange", "waves")
    assert message.nick == action.nick


def test_text_is_utf8_or_latin1_line_by_line() -> None:
    lines = parse("[10:00] <ada> grüße\n".encode() + "[10:00] <ada> grüße\r\n".encode("latin-1"))
    assert [line.text for line in lines] == ["grüße", "grüße"]


def test_only_newlines_end_a_line_and_numbers_count_empty_ones() -> None:
    lines = parse("[10:00] <ada> a\x0b\u2028b\n\n[10:00] <ada> \x02bold\x0f".encode())
    assert [(line.number, line.text) for line in lines] == [(1, "a\x0b\u2028b"), (3, "\x02bold\x0f")]


@pytest.mark.parametrize(
    ("times", "minutes"),
    [
        (["12:57", "01:03"], [0, 6]),  # twelve hours only: over noon
        (["11:59", "12:30", "11:00"], [0, 31, 661]),
        (["23:59", "00:01"], [0, 2]),  # a whole day's clock: over midnight
        (["13:00", "12:59", "13:02"], [0, 0, 2]),  # set back a little
    ],
)
def test_the_clock(times: list[str], minutes: list[int]) -> None:
    lines = parse("\n".join(f"[{time}] <ada> x" for time in times).encode())
    assert [line.minute for line in lines] == minutes


def test_a_line_without_a_time_happens_at_that_of_the_line_before() -> None:
    lines = parse(b"=== ada waves\n[10:00] <ada> x\n[10:05] <ada> y\n=== ada waves")
    assert [line.minute for line in lines] == [0, 0, 5, 5]


@pytest.mark.parametrize(
    ("name", "says", "notes", "minutes"),
    [("ubuntu-2005-02-08.train-a.raw.txt", 946, 4, 303), ("ubuntu-2005-05-19.train-a.raw.txt", 1017, 0, 203)],
)
def test_a_real_log(name: str, says: int, notes: int, minutes: int) -> None:
    file = REAL / name
    if not file.is_file():
        pytest.skip(f"the real log {name} is not in ../shared/data/irc beside the project")
    data = file.read_bytes()
    lines = parse(data)
    assert [line.number for line in lines] == list(range(1, data.count(b"\n") + 1))
    assert [line.kind for line in lines].count(Kind.NOTE) == notes
    assert lines[-1].minute == minutes
    script = write_script(lines)
    assert len(script.says) == says
    assert [why for _, why in script.skipped] == ["no user's doing"] * notes
    raw = data.decode().split("\n")
    for step in script.says:  # every word of a message is where it was in the file
        assert raw[step.line - 1].endswith(step.body.removeprefix(f"* {step.name} "))
    assert sum(step.do is Do.RENAME for step in script.steps) == data.count(b" is now known as ")
