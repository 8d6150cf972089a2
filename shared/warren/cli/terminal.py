"""A line of input at the bottom of a terminal that other lines may scroll past without tearing it."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import shutil
import sys
import termios
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.cells import cell_len

_KEY = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z~]|O[A-Za-z]|.)?|[^\x1b]", re.DOTALL)
_CLEAR = "\r\x1b[2K"

_NAMES = {
    "\x01": "home",
    "\x1b[H": "home",
    "\x1bOH": "home",
    "\x05": "end",
    "\x1b[F": "end",
    "\x1bOF": "end",
    "\x02": "left",
    "\x1b[D": "left",
    "\x06": "right",
    "\x1b[C": "right",
    "\x10": "up",
    "\x1b[A": "up",
    "\x0e": "down",
    "\x1b[B": "down",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x1b[3~": "delete",
    "\x15": "kill",
    "\x17": "word",
    "\r": "enter",
    "\n": "enter",
    "\x03": "quit",
    "\x04": "eof",
    "\x0c": "redraw",
}


class Terminal:
    """Owns standard input and output while used as a context; keys come through the running event loop.

    `entered` gets each finished line, `ended` is called at Ctrl-C, or at Ctrl-D on an empty line, `typed` at
    each change of the text. Set `prompt` and call `redraw` to change what stands before the input.
    """

    def __init__(self, entered: Callable[[str], None], ended: Callable[[], None], typed: Callable[[], None]) -> None:
        self.prompt = "> "
        self._entered, self._ended, self._typed = entered, ended, typed
        self._text, self._at = "", 0
        self._past: list[str] = []
        self._recalled = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._input = sys.stdin.fileno()

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._input)
        tty.setraw(self._input)
        mode = termios.tcgetattr(self._input)
        mode[1] |= termios.OPOST  # a printed newline still returns the carriage
        termios.tcsetattr(self._input, termios.TCSADRAIN, mode)
        asyncio.get_running_loop().add_reader(self._input, self._read)
        self.redraw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._input)
        _write(_CLEAR)
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def print(self, text: str) -> None:
        """Print above the input line; `text` may hold ANSI colours."""
        _write(f"{_CLEAR}{text}\n")
        self.redraw()

    def redraw(self) -> None:
        """Draw the input line anew, showing the part of it around the cursor."""
        room = max(8, shutil.get_terminal_size().columns - cell_len(_plain(self.prompt)) - 1)
        start = 0
        while cell_len(self._text[start : self._at]) > room:
            start += 1
        shown = self._text[start:]
        while cell_len(shown) > room:
            shown = shown[:-1]
        back = cell_len(shown) - cell_len(self._text[start : self._at])
        _write(f"{_CLEAR}{self.prompt}{shown}" + (f"\x1b[{back}D" if back > 0 else ""))

    def _read(self) -> None:
        data = os.read(self._input, 4096)
        if not data:
            self._ended()
            return
        before = self._text
        for key in _KEY.findall(self._decoder.decode(data)):
            self._press(key)
        if self._text and self._text != before:
            self._typed()
        self.redraw()

    def _press(self, key: str) -> None:
        name = _NAMES.get(key)
        if name is not None:
            getattr(self, f"_{name}")()
        elif key.isprintable():
            self._text = self._text[: self._at] + key + self._text[self._at :]
            self._at += 1

    def _set(self, text: str, at: int) -> None:
        self._text, self._at = text, at

    def _home(self) -> None:
        self._at = 0

    def _end(self) -> None:
        self._at = len(self._text)

    def _left(self) -> None:
        self._at = max(0, self._at - 1)

    def _right(self) -> None:
        self._at = min(len(self._text), self._at + 1)

    def _up(self) -> None:
        self._recall(self._recalled - 1)

    def _down(self) -> None:
        self._recall(self._recalled + 1)

    def _recall(self, index: int) -> None:
        if 0 <= index <= len(self._past):
            self._recalled = index
            text = self._past[index] if index < len(self._past) else ""
            self._set(text, len(text))

    def _backspace(self) -> None:
        if self._at:
            self._set(self._text[: self._at - 1] + self._text[self._at :], self._at - 1)

    def _delete(self) -> None:
        self._set(self._text[: self._at] + self._text[self._at + 1 :], self._at)

    def _kill(self) -> None:
        self._set(self._text[self._at :], 0)

    def _word(self) -> None:
        kept = re.sub(r"\S+\s*$", "", self._text[: self._at])
        self._set(kept + self._text[self._at :], len(kept))

    def _enter(self) -> None:
        text = self._text
        self._set("", 0)
        if text.strip():
            self._past.append(text)
            self._recalled = len(self._past)
            self._entered(text)

    def _eof(self) -> None:
        if self._text:
            self._delete()
        else:
            self._ended()

    def _quit(self) -> None:
        self._ended()

    def _redraw(self) -> None:
        _write("\x1b[H\x1b[2J")


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
