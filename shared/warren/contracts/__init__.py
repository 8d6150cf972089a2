"""Contracts: what services and clients say to each other. Free of infrastructure."""

from warren.contracts import commands, events, signals
from warren.contracts.base import REGISTRY, Contract, Model, User, now, rfc3339

__all__ = ["REGISTRY", "Contract", "Model", "User", "commands", "events", "now", "rfc3339", "signals"]
