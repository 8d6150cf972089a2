"""The public keys of an identity provider (JWKS, RFC 7517), fetched in the background.

A key fits one algorithm, by its type, whatever a token says: a public key can't be taken for a secret. The last good
set holds while the provider is away; a key nobody knows yet has the set fetched again, every few seconds at the most.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import httpx
import jwt
import orjson

from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
"""Between two fetches, unless a token names an unknown key."""

PAUSE_SECONDS = 3.0
"""Between two fetches at the least."""

WAIT_SECONDS = 8.0
"""How long a token with an unknown key waits for the next fetch."""

_FETCH_SECONDS = 5.0
_MAX_BYTES = 1_048_576
_MAX_KEYS = 1_000
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_ALIASES = {"Ed25519": "EdDSA"}  # RFC 9864 gives EdDSA's curves names of their own
_MIN_RSA_BITS = 2048

ALGORITHMS = frozenset(_ALGORITHMS.values())
"""The algorithms that a key of a set may be used with."""


class KeySet:
    """The usable keys of one JWKS document; those of other kinds, or for other uses, are passed over."""

    def __init__(self, document: Any) -> None:
        """Read a document, or raise ValueError if it is no key set."""
        listed = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
            raise ValueError("not a JSON Web Key Set")
        self._keys: dict[tuple[str | None, str], jwt.PyJWK] = {}
        self._by_algorithm: dict[str, list[jwt.PyJWK]] = {}
        for entry in listed:
            if (key := _usable(entry)) is not None:
                self._keys.setdefault((key.key_id, key.algorithm_name), key)
                self._by_algorithm.setdefault(key.algorithm_name, []).append(key)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key of this id and algorithm; a token without an id means the only key of its algorithm."""
        if kid is None:
            fitting = self._by_algorithm.get(algorithm, [])
            return fitting[0] if len(fitting) == 1 else None
        return self._keys.get((kid, algorithm))


class Keys:
    """The present key set of a URL; a part of the gateway that fetches it as long as it runs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._present: KeySet | None = None
        self._wanted = asyncio.Event()
        self._fetched: asyncio.Future[bool] | None = None

    async def check(self) -> None:
        """Raise `DependencyDownError` until there is a set: nobody can be let in without one (a health probe)."""
        if self._present is None:
            raise DependencyDownError("keys", "the key set could not be fetched yet")

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return a key, or None if a fresh set has none like it; an unknown one is waited for, for `WAIT_SECONDS`.

        Raises `DependencyDownError` when the key is unknown and no fresh set is to be had.
        """
        key = self._present.find(kid, algorithm) if self._present is not None else None
        return key or await self._find_fresh(kid, algorithm)

    async def run(self) -> None:
        """Fetch the set every few minutes, and whenever a key is missing."""
        failures = 0
        async with httpx.AsyncClient(timeout=_FETCH_SECONDS) as http:
            while True:
                good = await self._refresh(http)
                failures = 0 if good else failures + 1
                self._tell(good=good)
                await asyncio.sleep(PAUSE_SECONDS)
                rest = EVERY_SECONDS if good else min(PAUSE_SECONDS * 2 ** min(failures, 10), EVERY_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest - PAUSE_SECONDS):
                        await self._wanted.wait()

    async def drain(self) -> None:
        """Nothing has begun that must be finished."""

    async def _find_fresh(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        if self._fetched is None:
            self._fetched = asyncio.get_running_loop().create_future()
        self._wanted.set()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                good = await asyncio.shield(self._fetched)
        except TimeoutError:
            good = False
        if not good or self._present is None:
            raise DependencyDownError("keys", "the key set cannot be fetched just now")
        return self._present.find(kid, algorithm)

    async def _refresh(self, http: httpx.AsyncClient) -> bool:
        self._wanted.clear()
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                self._present = KeySet(orjson.loads(await self._fetch(http)))
        except (httpx.HTTPError, ValueError, TimeoutError) as e:
            fields = {"url": self._url, "reason": str(e) or type(e).__name__}
            log.warning("the key set was not fetched", extra={"fields": fields})
            return False
        log.info("key set fetched", extra={"fields": {"url": self._url, "keys": len(self._present)}})
        return True

    async def _fetch(self, http: httpx.AsyncClient) -> bytes:
        async with http.stream("GET", self._url, headers={"Accept": "application/json"}) as answer:
            answer.raise_for_status()
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MAX_BYTES:
                    raise ValueError("the key set is too large")
            return body

    def _tell(self, *, good: bool) -> None:
        fetched, self._fetched = self._fetched, None
        if fetched is not None:
            fetched.set_result(good)


def _usable(entry: Any) -> jwt.PyJWK | None:
    """Return a key that signatures can be checked with, by the one algorithm of its type, or None."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    kid, kind, curve, said = (entry.get(name) for name in ("kid", "kty", "crv", "alg"))
    if not isinstance(kid, str | None) or not isinstance(kind, str) or not isinstance(curve, str | None):
        return None
    algorithm = _ALGORITHMS.get((kind, curve))
    if algorithm is None or (said is not None and _ALIASES.get(str(said), said) != algorithm):
        return None
    try:
        key = jwt.PyJWK(entry, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if kind != "RSA" or key.key.key_size >= _MIN_RSA_BITS else None
