"""What a client may have to tell its user."""

from __future__ import annotations

from warren.errors import PermanentError, TransientError, WarrenError


class ClientError(WarrenError):
    """Root of the client's errors."""


class RefusedError(ClientError, PermanentError):
    """The server refuses, and would again: `code` is its error code, or the name of a close code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"refused ({code}): {message}")
        self.code = code
        self.message = message


class UnreachableError(ClientError, TransientError):
    """No answer for now; `retry_after` is in seconds, the least time the server asks to wait."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TokenExpiredError(UnreachableError):
    """The token has expired: the client gets another one where it can."""


class DeadlineError(ClientError, TransientError):
    """No answer in time. What was asked may still happen: asking again with the same id is safe."""


class ClosedError(ClientError):
    """The client was closed, or the connection was lost and the client is not to recover."""
