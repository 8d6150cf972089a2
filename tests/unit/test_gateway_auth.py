"""Tokens, origins and what a handshake offers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from gateway.auth import AuthError, Tokens, bearer, offered, origin_allowed, random_name
from warren.contracts.closing import EXPIRED, TOKEN

SECRET = "s" * 40


def signed(secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    exp = datetime.now(UTC) + timedelta(hours=1)
    return jwt.encode({"sub": "u1", "name": "Ann", "exp": exp, **claims}, secret, algorithm)


def test_a_guest_token_names_who_got_it() -> None:
    tokens = Tokens(SECRET, 3600)
    token, made = tokens.guest("Ann")
    seen = tokens.verify(token)
    assert seen == made
    assert seen.user.name == "Ann"
    assert timedelta(minutes=59) < seen.expires - datetime.now(UTC) <= timedelta(hours=1)


def test_guests_differ_and_have_readable_names() -> None:
    tokens = Tokens(SECRET, 3600)
    (_, a), (_, b) = tokens.guest(None), tokens.guest(None)
    assert a.user.id != b.user.id
    assert len(random_name().split()) == 3


def test_a_token_made_elsewhere_with_the_same_secret_is_good() -> None:
    assert Tokens(SECRET, 60).verify(signed()).user.name == "Ann"


@pytest.mark.parametrize(
    ("token", "close"),
    [
        (None, TOKEN),
        ("", TOKEN),
        ("not.a.token", TOKEN),
        (signed(secret="another secret that is long enough"), TOKEN),
        (signed(secret=SECRET * 2, algorithm="HS512"), TOKEN),
        (jwt.encode({"sub": "u1", "exp": 4_000_000_000}, "", "none"), TOKEN),
        (jwt.encode({"sub": "u1"}, SECRET, "HS256"), TOKEN),
        (jwt.encode({"exp": 4_000_000_000}, SECRET, "HS256"), TOKEN),
        (signed(sub=""), TOKEN),
        (signed(name="line\nbreak"), TOKEN),
        (signed(exp=1), EXPIRED),
    ],
)
def test_what_is_no_good_token_is_refused_with_its_close_code(token: str | None, close: object) -> None:
    with pytest.raises(AuthError) as refused:
        Tokens(SECRET, 60).verify(token)
    assert refused.value.close is close


def test_the_token_comes_among_the_protocols() -> None:
    assert offered("warren.v1, bearer.abc") == (["warren.v1"], "abc")
    assert offered(None) == ([], None)


@pytest.mark.parametrize(
    ("header", "token"), [("Bearer abc", "abc"), ("bearer  abc", "abc"), ("Basic abc", None), (None, None)]
)
def test_bearer_header(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://chat.example:8080", True),
        ("https://app.example", True),
        ("https://evil.example", False),
        ("http://chat.example", False),
        ("null", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, "chat.example:8080", ("https://app.example",)) is allowed
