"""Who is there: tokens (JWT, by a shared secret or a provider's keys) and guests with a readable name."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from pydantic import ValidationError

from gateway.jwks import ALGORITHMS, Keys
from gateway.rights import EVERYWHERE, Rights, rights_of, rights_to_write
from gateway.settings import GatewaySettings
from warren.contracts import User
from warren.contracts.closing import DRAIN, EXPIRED, FLOOD, FORBIDDEN, TOKEN, UNAVAILABLE, CloseCode
from warren.errors import DependencyDownError, WarrenError

LEEWAY_SECONDS = 5
"""By how much clocks may differ: a token is good for so long after `exp`, and so long before `nbf`."""

HTTP_STATUS = {TOKEN: 401, EXPIRED: 401, FORBIDDEN: 403, FLOOD: 429, DRAIN: 503, UNAVAILABLE: 503}
"""What a refusal is in HTTP."""

_SHARED = "HS256"
_MAX_TOKEN = 8000
_FIRST = "Amber Brave Calm Clever Copper Crisp Eager Gentle Golden Happy Jolly Keen Lively Lucky Mellow Merry Misty "
_FIRST += "Noble Proud Quick Quiet Rosy Silver Sunny Swift Tidy Velvet Warm Wild Witty"
_SECOND = "Badger Beaver Bunny Cricket Dormouse Falcon Ferret Finch Fox Hare Hedgehog Heron Lark Lynx Marten Mole Newt "
_SECOND += "Otter Owl Pika Rabbit Robin Shrew Sparrow Squirrel Stoat Swallow Vole Weasel Wren"


class AuthError(WarrenError):
    """The token does not let anyone in; `close` is the code a websocket is closed with."""

    def __init__(self, message: str, close: CloseCode = TOKEN) -> None:
        super().__init__(message)
        self.close = close


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified user; `expires` is when the token does, `rights` what it says of rooms."""

    user: User
    expires: datetime
    rights: Rights = EVERYWHERE
    guest: bool = False


class Tokens:
    """Verifies tokens, and makes those of guests.

    The shared secret is for HS256 and nothing else, a provider's key for the algorithm of its type: what a token says
    of its algorithm only chooses between them. Where keys come from a provider, the secret is for guests' tokens alone.
    """

    def __init__(self, settings: GatewaySettings, keys: Keys | None = None) -> None:
        self._settings = settings
        self._keys = keys
        self._secret = settings.jwt_secret.get_secret_value() if keys is None or settings.guests else ""
        self._guest_rights = rights_to_write(settings.guest_rooms)
        self._checks: dict[str, Any] = {
            "audience": settings.jwt_audience or None,
            "issuer": settings.jwt_issuer or None,
            "leeway": LEEWAY_SECONDS,
            "options": {"require": ["sub", "exp"]},
        }

    def guest(self, name: str | None, again: User | None = None) -> tuple[str, Identity]:
        """Return a token for a new guest, or for the same one `again`; with a random name unless one is given."""
        made, life = datetime.now(UTC).replace(microsecond=0), self._settings.guest_token_seconds
        expires = made + timedelta(seconds=life)
        known = again.name if again is not None else random_name()
        user = User(id=again.id if again is not None else f"guest-{secrets.token_hex(8)}", name=name or known)
        claims = {"sub": user.id, "name": user.name, "guest": True, "iat": made, "exp": expires}
        meant = {"aud": self._settings.jwt_audience, "iss": self._settings.jwt_issuer}
        claims |= {claim: value for claim, value in meant.items() if value}
        return jwt.encode(claims, self._secret, _SHARED), Identity(user, expires, self._guest_rights, True)

    async def verify(self, token: str | None) -> Identity:
        """Return who the token names, or raise `AuthError`; only a token with an unknown key takes time."""
        if not token:
            raise AuthError("a token is needed: POST /api/token gives one to guests")
        if len(token) > _MAX_TOKEN:
            raise AuthError(f"a token has at most {_MAX_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg"))
            key = await self._key(algorithm, header.get("kid"))
            claims = jwt.decode(token, key, [algorithm], **self._checks)
            return self._identity(claims, algorithm)
        except jwt.ExpiredSignatureError:
            raise AuthError("the token has expired: get a fresh one", EXPIRED) from None
        except jwt.ImmatureSignatureError:
            raise AuthError("the token is not valid yet") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
            raise AuthError("the token is meant for another place, or comes from one") from None
        except DependencyDownError:
            raise AuthError("the keys of tokens cannot be fetched just now: come back soon", UNAVAILABLE) from None
        except (jwt.PyJWTError, ValidationError, TypeError, ValueError, OverflowError):
            raise AuthError("the token is not valid") from None

    async def _key(self, algorithm: str, kid: str | None) -> str | jwt.PyJWK:
        if algorithm == _SHARED and self._secret:
            return self._secret
        if algorithm in ALGORITHMS and self._keys is not None:
            key = await self._keys.find(kid, algorithm)
            if key is not None:
                return key
        raise AuthError("the token is signed with an unknown key")

    def _identity(self, claims: Mapping[str, Any], algorithm: str) -> Identity:
        user = User(id=claims["sub"], name=claims.get("name") or claims["sub"][:64])
        expires = datetime.fromtimestamp(claims["exp"], UTC)
        guest = algorithm == _SHARED and claims.get("guest") is True
        if guest and not self._settings.guests:
            raise AuthError("guests are not allowed here: bring a token")
        if guest:
            return Identity(user, expires, self._guest_rights, guest=True)
        if algorithm == _SHARED and self._keys is not None:
            raise AuthError("the token is signed with an unknown key")
        return Identity(user, expires, rights_of(claims["rooms"]) if "rooms" in claims else EVERYWHERE)


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
