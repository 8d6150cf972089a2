"""Passwords and keys of one data directory: made on first start, kept in a file only its owner reads."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from warren.errors import WarrenError
from warren.stack.files import write_private

ADMIN = "admin"
"""The broker's administrator: the user of the management UI."""


def tokens_file(data: Path) -> Path:
    """Return where people's tokens for dlq-monitor stand, each as a hash."""
    return data / "dlq-tokens"


class SecretsError(WarrenError):
    """The secrets file cannot be read."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be known outside; `passwords` are the broker's users'."""

    jwt_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    service_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    erlang_cookie: str = field(default_factory=lambda: secrets.token_hex(20))
    passwords: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Secrets(…)"

    @classmethod
    def open(cls, data: Path, users: Iterable[str]) -> Self:
        """Read `data/secrets.json`; what is missing for `users` and the administrator is made and saved."""
        path = data / "secrets.json"
        try:
            known = cls(**json.loads(path.read_text())) if path.exists() else cls()
        except (OSError, ValueError, TypeError):
            raise SecretsError(f"{path} is damaged: restore it, or delete {data} and with it all messages") from None
        missing = [user for user in (ADMIN, *users) if user not in known.passwords]
        if missing or not path.exists():
            known.passwords.update({user: secrets.token_urlsafe(18) for user in missing})
            write_private(path, json.dumps(asdict(known), indent=2))
        return known
