"""Tokens, and what a handshake offers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.auth import LEEWAY_SECONDS, AuthError, Tokens, bearer, offered, random_name
from gateway.jwks import Keys, KeySet
from gateway.rights import Right
from gateway.settings import GatewaySettings
from warren.contracts.closing import EXPIRED, TOKEN, UNAVAILABLE
from warren.errors import DependencyDownError

SECRET = "s" * 40
RSA_KEY = rsa.generate_private_key(65537, 2048)
WEAK_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the kind that must be refused
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
OTHER_KEY = rsa.generate_private_key(65537, 2048)
PROVIDER = {"rsa": ("RS256", RSA_KEY), "ec": ("ES256", EC_KEY), "ed": ("EdDSA", ED_KEY), "weak": ("RS256", WEAK_KEY)}


def soon(seconds: float = 3600) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def settings(**overrides: Any) -> GatewaySettings:
    return GatewaySettings(**{"jwt_secret": SECRET, "guests": True, "guest_token_seconds": 3600, **overrides})


def signed(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {"sub": "u1", "name": "Ann", "exp": soon(), **claims}
    return jwt.encode({k: v for k, v in said.items() if v is not None}, key, algorithm, headers=headers)


def jwk(kid: str, key: Any, algorithm: str, **more: Any) -> dict[str, Any]:
    public: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)  # type: ignore[call-overload]
    return {**public, "kid": kid, "use": "sig", **more}


class Fetched(Keys):
    """Keys that were fetched already; an unknown one is not to be had unless the provider `answers`."""

    def __init__(self, document: Any, *, answers: bool = True) -> None:
        super().__init__("https://id.example/jwks")
        self._present = KeySet(document)
        self.answers = answers

    async def _find_fresh(self, kid: str | None, algorithm: str) -> None:
        if not self.answers:
            raise DependencyDownError("keys", "away")


DOCUMENT = {"keys": [jwk(kid, key, algorithm) for kid, (algorithm, key) in PROVIDER.items()]}


def provided(**overrides: Any) -> Tokens:
    return Tokens(settings(jwt_jwks_url="https://id.example/jwks", **overrides), Fetched(DOCUMENT))


async def refused(tokens: Tokens, token: str | None) -> Any:
    with pytest.raises(AuthError) as error:
        await tokens.verify(token)
    assert token is None or len(token) < 20 or token not in str(error.value)
    return error.value.close


async def test_a_guest_token_names_who_got_it() -> None:
    tokens = Tokens(settings(jwt_audience="chat", jwt_issuer="warren"))
    token, made = tokens.guest("Ann")
    seen = await tokens.verify(token)
    assert seen == made
    assert (seen.user.name, seen.guest) == ("Ann", True)
    assert timedelta(minutes=59) < seen.expires - datetime.now(UTC) <= timedelta(hours=1)


async def test_a_guest_may_have_a_fresh_token_as_the_same_guest() -> None:
    tokens = Tokens(settings())
    _, first = tokens.guest("Ann")
    token, _ = tokens.guest(None, first.user)
    assert (await tokens.verify(token)).user == first.user


def test_guests_differ_and_have_readable_names() -> None:
    tokens = Tokens(settings())
    (_, a), (_, b) = tokens.guest(None), tokens.guest(None)
    assert a.user.id != b.user.id
    assert len(random_name().split()) == 3


async def test_guests_go_where_guests_may_and_nowhere_if_they_may_not_be() -> None:
    token, identity = Tokens(settings(guest_rooms="lobby,open-*")).guest(None)
    assert [identity.rights.of(room) for room in ("lobby", "open-1", "staff")] == [Right.WRITE, Right.WRITE, Right.NONE]
    assert await refused(Tokens(settings(guests=False)), token) is TOKEN


async def test_a_token_made_elsewhere_with_the_same_secret_is_good() -> None:
    seen = await Tokens(settings()).verify(signed(rooms={"read": ["news"]}))
    assert (seen.user.name, seen.guest, seen.rights.of("news")) == ("Ann", False, Right.READ)
    assert (await Tokens(settings()).verify(signed())).rights.of("anything") is Right.WRITE


@pytest.mark.parametrize(
    ("token", "close"),
    [
        (None, TOKEN),
        ("", TOKEN),
        ("not.a.token", TOKEN),
        ("x" * 10_000, TOKEN),
        (signed("another secret that is long enough"), TOKEN),
        (signed(SECRET * 2, "HS512"), TOKEN),
        (jwt.encode({"sub": "u1", "exp": 4_000_000_000}, "", "none"), TOKEN),
        (signed(exp=None), TOKEN),
        (signed(sub=None), TOKEN),
        (signed(sub=""), TOKEN),
        (signed(name="line\nbreak"), TOKEN),
        (signed(exp=1), EXPIRED),
        (signed(exp=soon(-LEEWAY_SECONDS - 2)), EXPIRED),
        (signed(exp=1e300), TOKEN),
        (signed(nbf=soon(36_000)), TOKEN),
        (signed(aud="another place"), TOKEN),
        (signed(rooms="everywhere"), TOKEN),
        (signed(rooms={"read": "general"}), TOKEN),
        (signed(rooms={"read": ["x"] * 101}), TOKEN),
        (signed(rooms={"read": ["x" * 129]}), TOKEN),
        (signed(RSA_KEY, "RS256", {"kid": "rsa"}), TOKEN),
    ],
)
async def test_what_is_no_good_token_is_refused_with_its_close_code(token: str | None, close: object) -> None:
    assert await refused(Tokens(settings()), token) is close


async def test_clocks_may_differ_a_little() -> None:
    await Tokens(settings()).verify(signed(exp=soon(-2), nbf=soon(2)))


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"aud": "chat", "iss": "https://id.example"}, True),
        ({"aud": ["mail", "chat"], "iss": "https://id.example"}, True),
        ({"aud": "mail", "iss": "https://id.example"}, False),
        ({"aud": "chat", "iss": "https://evil.example"}, False),
        ({"aud": "chat"}, False),
        ({"iss": "https://id.example"}, False),
    ],
)
async def test_audience_and_issuer_must_be_ours_where_they_are_set(claims: dict[str, Any], good: bool) -> None:
    tokens = Tokens(settings(jwt_audience="chat", jwt_issuer="https://id.example"))
    if good:
        await tokens.verify(signed(**claims))
    else:
        assert await refused(tokens, signed(**claims)) is TOKEN


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
async def test_a_provider_signs_by_the_algorithm_of_its_key(kid: str) -> None:
    algorithm, key = PROVIDER[kid]
    assert (await provided().verify(signed(key, algorithm, {"kid": kid}))).user.id == "u1"


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def forged(kid: str, secret: bytes) -> str:
    """A token that says HS256 and is signed with bytes that anyone may know."""
    parts = ({"alg": "HS256", "typ": "JWT", "kid": kid}, {"sub": "u1", "exp": 4_000_000_000, "guest": True})
    text = b".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, text, hashlib.sha256)).rstrip(b"=")
    return (text + b"." + signature).decode()


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: forged("rsa", public_pem(RSA_KEY)),
        lambda: forged("rsa", jwk("rsa", RSA_KEY, "RS256")["n"].encode()),
        lambda: forged("rsa", b""),
        lambda: signed(OTHER_KEY, "RS256", {"kid": "rsa"}),
        lambda: signed(RSA_KEY, "RS256", {"kid": "ec"}),
        lambda: signed(RSA_KEY, "RS256", {"kid": "nobody"}),
        lambda: signed(RSA_KEY, "RS512", {"kid": "rsa"}),
        lambda: signed(RSA_KEY, "PS256", {"kid": "rsa"}),
        lambda: signed(WEAK_KEY, "RS256", {"kid": "weak"}),
        lambda: signed(headers={"kid": "rsa"}),  # the secret is for guests alone here
        lambda: jwt.encode({"sub": "u1", "exp": 4_000_000_000}, "", "none", headers={"kid": "rsa"}),
        lambda: signed(RSA_KEY, "RS256", {"kid": "rsa"}).rsplit(".", 1)[0] + ".",
        lambda: signed(RSA_KEY, "RS256", {"kid": "rsa", "jku": "https://evil.example", "jwk": {}})[:-8],
    ],
)
async def test_no_algorithm_stands_in_for_another(make: Callable[[], str]) -> None:
    assert await refused(provided(), make()) is TOKEN
    assert await refused(provided(guests=False, jwt_secret=""), make()) is TOKEN


async def test_beside_a_provider_the_secret_signs_guests_alone() -> None:
    tokens = provided()
    token, identity = tokens.guest("Ann")
    assert await tokens.verify(token) == identity


async def test_an_unknown_key_of_a_provider_that_is_away_is_no_verdict() -> None:
    tokens = Tokens(settings(jwt_jwks_url="https://id.example"), Fetched(DOCUMENT, answers=False))
    await tokens.verify(signed(RSA_KEY, "RS256", {"kid": "rsa"}))
    assert await refused(tokens, signed(RSA_KEY, "RS256", {"kid": "new"})) is UNAVAILABLE


def test_a_token_without_a_key_id_means_the_only_key_of_its_algorithm() -> None:
    one = KeySet({"keys": [jwk("a", EC_KEY, "ES256"), jwk("b", ED_KEY, "EdDSA")]})
    assert one.find(None, "ES256") is one.find("a", "ES256") is not None
    two = KeySet({"keys": [jwk("a", RSA_KEY, "RS256"), jwk("b", OTHER_KEY, "RS256")]})
    assert two.find(None, "RS256") is None


def test_keys_for_other_uses_are_passed_over() -> None:
    odd = [
        jwk("a", RSA_KEY, "RS256", use="enc"),
        jwk("b", RSA_KEY, "RS256", alg="RS512"),
        jwk("c", WEAK_KEY, "RS256"),
        jwk("d", ec.generate_private_key(ec.SECP384R1()), "ES384"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "e"},
        {"kty": "RSA", "kid": "f", "n": "!", "e": 3},
        {"kty": ["RSA"], "kid": {}},
        "a key",
    ]
    assert len(KeySet({"keys": odd})) == 0
    for document in (None, [], {}, {"keys": {}}, {"keys": [{}] * 1_001}):
        with pytest.raises(ValueError, match="Key Set"):
            KeySet(document)


def test_the_secret_is_long_where_it_is_needed() -> None:
    for wrong in (
        {"jwt_secret": "short"},
        {"jwt_secret": ""},
        {"jwt_secret": "", "jwt_jwks_url": "https://id.example"},
    ):
        with pytest.raises(ValueError, match="32 characters"):
            settings(**wrong)
    settings(jwt_secret="", jwt_jwks_url="https://id.example", guests=False)


def test_the_token_comes_among_the_protocols() -> None:
    assert offered("warren.v1, bearer.abc") == (["warren.v1"], "abc")
    assert offered(None) == ([], None)


@pytest.mark.parametrize(
    ("header", "token"), [("Bearer abc", "abc"), ("bearer  abc", "abc"), ("Basic abc", None), (None, None)]
)
def test_bearer_header(header: str | None, token: str | None) -> None:
    assert bearer(header) == token
