"""Remembers what was recorded last, in bounded memory."""

from __future__ import annotations


class Recent:
    """A set that forgets its oldest half: it holds between `size` and twice as many identities."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._new: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, identity: str) -> bool:
        return identity in self._new or identity in self._old

    def add(self, identity: str) -> None:
        """Remember one more."""
        self._new.add(identity)
        if len(self._new) >= self._size:
            self._old, self._new = self._new, set()
