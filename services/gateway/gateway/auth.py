"""Who is there: tokens (JWT, HS256) and guests with a readable name."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
from pydantic import ValidationError

from warren.contracts import User
from warren.contracts.closing import EXPIRED, TOKEN, CloseCode
from warren.errors import WarrenError

_ALGORITHM = "HS256"
_FIRST = "Amber Brave Calm Clever Copper Crisp Eager Gentle Golden Happy Jolly Keen Lively Lucky Mellow Merry Misty "
_FIRST += "Noble Proud Quick Quiet Rosy Silver Sunny Swift Tidy Velvet Warm Wild Witty"
_SECOND = "Badger Beaver Bunny Cricket Dormouse Falcon Ferret Finch Fox Hare Hedgehog Heron Lark Lynx Marten Mole Newt "
_SECOND += "Otter Owl Pika Rabbit Robin Shrew Sparrow Squirrel Stoat Swallow Vole Weasel Wren"


class AuthError(WarrenError):
    """The token does not let anyone in; `close` is the code a websocket is closed with."""

    def __init__(self, message: str, close: CloseCode) -> None:
        super().__init__(message)
        self.close = close


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified user; `expires` is when the token does."""

    user: User
    expires: datetime


class Tokens:
    """Makes and verifies tokens of one secret."""

    def __init__(self, secret: str, guest_seconds: int) -> None:
        self._secret = secret
        self._guest_seconds = guest_seconds

    def guest(self, name: str | None) -> tuple[str, Identity]:
        """Return a token for a new guest, with a random readable name unless one is given."""
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=self._guest_seconds)
        user = User(id=f"guest-{secrets.token_hex(8)}", name=name or random_name())
        claims = {"sub": user.id, "name": user.name, "guest": True, "iat": datetime.now(UTC), "exp": expires}
        return jwt.encode(claims, self._secret, _ALGORITHM), Identity(user, expires)

    def verify(self, token: str | None) -> Identity:
        """Return who the token names, or raise `AuthError`."""
        if not token:
            raise AuthError("a token is needed: POST /api/token gives one to guests", TOKEN)
        try:
            claims = jwt.decode(token, self._secret, [_ALGORITHM], options={"require": ["sub", "exp"]})
            user = User(id=claims["sub"], name=claims.get("name") or claims["sub"][:64])
            return Identity(user, datetime.fromtimestamp(claims["exp"], UTC))
        except jwt.ExpiredSignatureError:
            raise AuthError("the token has expired: get a fresh one", EXPIRED) from None
        except (jwt.InvalidTokenError, ValidationError, TypeError, ValueError, OverflowError):
            raise AuthError("the token is not valid", TOKEN) from None


def random_name() -> str:
    """Return a name for someone who gave none, like `Quiet Otter 42`."""
    return f"{random.choice(_FIRST.split())} {random.choice(_SECOND.split())} {random.randint(2, 99)}"


def offered(header: str | None) -> tuple[list[str], str | None]:
    """Read `Sec-WebSocket-Protocol`: the protocols offered, and the token among them."""
    protocols, token = [], None
    for part in (header or "").split(","):
        value = part.strip()
        if value.startswith("bearer."):
            token = value.removeprefix("bearer.")
        elif value:
            protocols.append(value)
    return protocols, token


def bearer(header: str | None) -> str | None:
    """Read the token of an `Authorization` header."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None


def origin_allowed(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """Whether a browser's page may connect: one of our own, or one that was named. Others send no Origin."""
    if origin is None:
        return True
    return origin in allowed or origin.partition("://")[2] == host
