"""What happens when whoever reads the output goes away, as in `warren … | head -1`.

The default action of SIGPIPE is no way out: it would also end the process at any socket that is lost. A BrokenPipeError
is none either: it comes wherever something is printed, also in callbacks and threads, and looks like an error of the
network.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Self

LEFT = 1
"""The exit code then, as Python's own."""


class Watched(io.TextIOWrapper):
    """Standard output or error that ends the command as Ctrl-C does, in order, once its reader has gone."""

    left = False

    @classmethod
    def of(cls, stream: io.TextIOWrapper) -> Self:
        """Take the place of a standard stream."""
        return cls(
            stream.buffer,
            stream.encoding,
            stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._leave()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._leave()

    def _leave(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # what is still to be said, or waits in buffers, is said to nobody
        os.close(nowhere)
        if Watched.left:
            return
        Watched.left = True
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            os._exit(LEFT)  # a script's background job, deaf to Ctrl-C: it ends as SIGPIPE would end it
        signal.raise_signal(signal.SIGINT)


def watch_readers() -> None:
    """Let the command end when the reader of its output or of its errors goes away."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where it was closed from the beginning
        sys.stdout = Watched.of(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = Watched.of(sys.stderr)


def have_left() -> bool:
    """Write what is left to write, and return whether a reader has gone."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except KeyboardInterrupt:
        pass  # the very end: nobody reads that either
    return Watched.left
