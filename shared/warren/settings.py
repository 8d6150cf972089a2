"""Settings that all services share, from the environment (prefix `WARREN_`)."""

from __future__ import annotations

import os
import socket
from functools import cached_property
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from warren.errors import SettingsError
from warren.ids import uuid7
from warren.topology import Topology


def _database_prefix(text: str) -> str:
    if not text.replace("_", "").isalnum():
        raise ValueError("letters, digits and underscores only")
    return text


class Settings(BaseSettings):
    """One service's settings; each field is the environment variable `WARREN_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="WARREN_", frozen=True, extra="ignore")

    service: str = ""
    """Name of the service; each service's own settings class sets it."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """Where HTTP listens; loopback unless told."""

    instance: str = ""
    """Name of this process in tags, logs and metrics; made from the host's name and the pid if empty."""

    amqp_url: SecretStr = SecretStr("amqp://guest:guest@127.0.0.1:5672/")
    amqp_heartbeat: int = Field(default=6, ge=2, le=60)
    """Seconds; a hung link is found after about two and a half of them."""

    mongo_url: SecretStr = SecretStr("mongodb://127.0.0.1:27017/")
    database_prefix: Annotated[str, AfterValidator(_database_prefix)] = "warren_"
    """A service's database is the prefix and its name, as in `warren_chat`."""

    partitions: int = Field(default=16, ge=1, le=512)
    """Fixed for the life of a deployment."""

    service_token: SecretStr = SecretStr("")
    """Bearer token between services and for operators' commands; without it their endpoints refuse."""

    alive_file: str = ""
    """Path of the IsAlive file: `/lb` answers 200 only while it exists. Empty: no file is asked for."""

    log_level: str = "info"
    drain_seconds: float = Field(default=10, ge=0)
    """How long a service may take to finish what it has begun after SIGTERM."""

    publish_timeout: float = Field(default=8, gt=0)
    """Seconds a publish may wait for its confirm, reconnections included."""

    batch_size: int = Field(default=200, ge=1)
    """Events a consumer works at once, at the most."""

    prefetch: int = Field(default=400, ge=1)
    """Messages the broker sends ahead, once consuming has proved safe."""

    @cached_property
    def name(self) -> str:
        """Instance name of this process."""
        return self.instance or f"{self.service}@{socket.gethostname()}.{os.getpid()}"

    @cached_property
    def incarnation(self) -> str:
        """Name of this life of the process: never used twice."""
        return f"{self.service}-{uuid7().replace('-', '')[4:20]}"

    @cached_property
    def topology(self) -> Topology:
        """The topology of this deployment."""
        return Topology(self.partitions)

    @property
    def database(self) -> str:
        """Name of the service's own database."""
        return self.database_prefix + self.service.replace("dlq-monitor", "dlq")

    @classmethod
    def load(cls) -> Self:
        """Read the environment, or raise `SettingsError` naming each variable that is wrong."""
        try:
            return cls()
        except ValidationError as e:
            wrong = "; ".join(f"WARREN_{'_'.join(map(str, x['loc'])).upper()}: {x['msg']}" for x in e.errors())
            raise SettingsError(f"wrong settings: {wrong}") from None


S = TypeVar("S", bound=Settings)
