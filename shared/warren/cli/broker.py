"""Where the broker is, for commands that go straight to it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlsplit

from warren.stack.secrets import ADMIN, Secrets
from warren.stack.state import read_state

AMQP_URL = "WARREN_AMQP_URL"


def broker_url(data: Path, user: str) -> str:
    """Return `WARREN_AMQP_URL`, else the broker of the stack in `data`, for `user`: no administrator's rights.

    Raises `NotRunningError` where there is neither.
    """
    if given := os.environ.get(AMQP_URL):
        return given
    url = urlsplit(read_state(data).amqp)
    passwords = Secrets.open(data, ()).passwords
    if url.username != ADMIN or user not in passwords:
        return url.geturl()
    host = url.netloc.rpartition("@")[2]
    return url._replace(netloc=f"{user}:{quote(passwords[user], safe='')}@{host}").geturl()
