"""Settings of the gateway; a limit of 0 means none."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from gateway.origins import Origins
from gateway.rights import rights_to_write
from warren.contracts.frames import Limits
from warren.settings import Settings

Limit = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Texts = Annotated[tuple[str, ...], NoDecode]

_MIN_SECRET = 32


class GatewaySettings(Settings):
    """Each field is the environment variable `WARREN_<FIELD>`."""

    service: str = "gateway"
    port: int = 8080

    chat_url: Texts = ("http://127.0.0.1:8081",)
    """Addresses of the chat processes, separated by commas: when one does not answer, the next is asked."""
    presence_url: Texts = ("http://127.0.0.1:8082",)
    """Likewise."""

    guests: bool = False
    """Whether `POST /api/token` gives a token to anyone."""
    guest_token_seconds: int = Field(default=7 * 24 * 3600, ge=60)
    guest_rooms: Texts = ("*",)
    """Rooms in which guests may read and write, patterns with `*`, separated by commas."""
    jwt_jwks_url: str = Field(default="", pattern=r"^(https?://.+)?$")
    """Where the public keys of the tokens' issuer are (RS256, ES256, EdDSA); empty: tokens are signed by the secret."""
    jwt_secret: Annotated[SecretStr, Field(validate_default=True)] = SecretStr("")
    """Secret of HS256 tokens, the same for all gateways; at least 32 characters; with a JWKS URL for guests only."""
    jwt_audience: str = ""
    """What a token's `aud` must name; empty: a token without `aud` is wanted."""
    jwt_issuer: str = ""
    """What a token's `iss` must be; empty: anything."""

    origins: Texts = ()
    """Origins of browsers that may connect beside the gateway's own, separated by commas: `https://a.example`, or
    `https://*.example.com` for all hosts below."""
    trusted_proxies: str = ""
    """Addresses of load balancers whose `X-Forwarded-For` is believed, separated by commas; none by default."""

    message_rate: Limit = 50
    """Frames that cost (messages, joins, renames, typing) per second and user."""
    message_burst: Limit = 200
    connect_rate: Limit = 100
    """Connections, handshakes and guest tokens per second and address, of each."""
    frame_rate: Limit = 5000
    """Websocket frames of any kind per second and address; more are not read before their time."""
    request_rate: Limit = 50
    """API requests per second and address, or five times as many files; what is above waits, at last for a 429."""
    connections_per_address: Count = 200
    """Connections of one address beside its sockets; more are closed. Not counted where there are `trusted_proxies`."""
    sessions_per_address: Count = 1000
    sessions_per_user: Count = 100
    rooms_per_session: Count = 100
    body_limit: Count = 16_384
    """Bytes of a message's body in UTF-8."""
    frame_limit: int = Field(default=65_536, ge=1024)
    """Bytes of a frame from a client (a larger one closes the socket, 1009), and of a request's body (413)."""
    bad_frames: Count = 50
    """Bad frames in a row after which the socket is closed as a flood."""
    send_buffer: int = Field(default=1_048_576, ge=65_536)
    """Bytes of frames that may wait for one socket; with more it is closed as slow."""
    pending_messages: int = Field(default=1_000, ge=1)
    """Messages of one socket that may wait for the broker."""
    members_shown: Count = 200
    """Above that many members clients are told their number only."""
    presence_interval: Limit = 1
    """Seconds between two frames that tell a room who came and went; the first after a quiet time comes at once."""
    page: int = Field(default=200, ge=1, le=200)
    """Entries of a snapshot at the most."""
    first_page: int = Field(default=50, ge=1, le=200)
    """Entries of a snapshot for a client that names no `since`."""

    heartbeat_seconds: float = Field(default=20, ge=0)
    """Seconds between two websocket pings; a client that takes as long to answer one is closed as silent (4012)."""
    beat_seconds: float = Field(default=2, gt=0)
    table_seconds: float = Field(default=30, gt=0)
    """How often presence is told of all sessions, needed or not."""
    reconcile_seconds: float = Field(default=5, gt=0)
    """How often the heads of all rooms are compared with chat's."""
    read_seconds: float = Field(default=2, gt=0)
    """How often positions that users have read up to go out, the furthest of each user and room."""
    join_seconds: float = Field(default=10, gt=0)
    """How long a join waits for a service that is away."""
    drain_notice: float = Field(default=0, ge=0)
    """Seconds from `/lb`'s first 403 to the first goodbye: what a load balancer needs to send nobody here any more."""
    drain_spread: float = Field(default=3, ge=0)
    """Seconds over which clients are sent away after that."""

    @field_validator("origins", "guest_rooms", "chat_url", "presence_url", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        needed = not info.data.get("jwt_jwks_url") or info.data.get("guests")
        if (needed or value.get_secret_value()) and len(value.get_secret_value()) < _MIN_SECRET:
            raise ValueError(f"at least {_MIN_SECRET} characters are needed")
        return value

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Origins(value)
        return value

    @field_validator("guest_rooms")
    @classmethod
    def _are_patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        rights_to_write(value)
        return value

    def lists(self, count: int) -> bool:
        """Whether a room with so many members has a list of them."""
        return not self.members_shown or count <= self.members_shown

    @property
    def limits(self) -> Limits:
        """What `welcome` tells clients."""
        return Limits(
            frame_bytes=self.frame_limit,
            body_bytes=self.body_limit,
            message_rate=self.message_rate,
            message_burst=self.message_burst,
            frame_rate=self.frame_rate,
            pending=self.pending_messages,
            bad_frames=self.bad_frames,
            rooms=self.rooms_per_session,
            members=self.members_shown,
            first_page=self.first_page,
            page=self.page,
            buffer_bytes=self.send_buffer,
            sessions_per_user=self.sessions_per_user,
            sessions_per_address=self.sessions_per_address,
            connect_rate=self.connect_rate,
            heartbeat=self.heartbeat_seconds,
            silence=self.heartbeat_seconds,
        )
