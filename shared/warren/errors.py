"""Errors with a meaning for the failure policy (see `warren.messaging.policy`).

A handler says by the class of its error what becomes of an event: a `PermanentError` will fail each
time and goes to the dead queue at once; a `TransientError` is tried again later; a `DependencyDownError`
is not the event's fault at all, so consuming pauses until the dependency is back.
"""

from __future__ import annotations


class WarrenError(Exception):
    """Root of all errors that Warren raises on purpose."""


class PermanentError(WarrenError):
    """It fails however often it is tried: bad body, unknown type, broken rule."""


class ContractError(PermanentError):
    """A message or frame does not fit its contract."""


class TransientError(WarrenError):
    """It may work when tried again."""


class DependencyDownError(TransientError):
    """A dependency (broker, store, neighbour service) is away: wait for it, blame no message.

    `dependency` is its name as the health report shows it.
    """

    def __init__(self, dependency: str, reason: str) -> None:
        super().__init__(f"{dependency} is away: {reason}")
        self.dependency = dependency


class PublishError(DependencyDownError):
    """The broker did not confirm a publish in time; it may still arrive."""


class UnroutableError(DependencyDownError):
    """A mandatory publish reached no queue: part of the topology is missing."""


class DeposedError(WarrenError):
    """Another consumer has taken over this queue: close the channel, forget what was known of it."""


class SettingsError(WarrenError):
    """A setting is missing or wrong; the message says which and how to mend it."""
