"""Write the broker's users for a broker that is not ours to start: `python -m warren.stack.write_definitions FILE`.

Each user's password comes from the environment, `BROKER_PASSWORD_<USER>`; the file holds salted hashes only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from warren.errors import SettingsError, WarrenError
from warren.stack.definitions import definitions
from warren.stack.secrets import ADMIN
from warren.stack.services import service_packages
from warren.topology import Topology


def password_variable(user: str) -> str:
    """Name of the variable with a broker user's password."""
    return f"BROKER_PASSWORD_{user.upper().replace('-', '_')}"


def passwords(users: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the password of each user, or raise `SettingsError` naming all variables that are missing."""
    found = {user: environment.get(password_variable(user), "") for user in users}
    if missing := [password_variable(user) for user, password in found.items() if not password]:
        raise SettingsError(f"passwords of broker users are missing: {', '.join(missing)}")
    return found


def write(path: Path, environment: Mapping[str, str]) -> None:
    """Replace `path` by the definitions of the administrator and of one user for each service."""
    document = definitions(Topology(), passwords((ADMIN, *service_packages()), environment))
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(document, indent=2))
    draft.chmod(0o644)  # read by the broker, another user: who may see the file is the volume's matter
    draft.replace(path)


def main() -> None:
    """Write the file that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m warren.stack.write_definitions FILE")
    try:
        write(Path(sys.argv[1]), os.environ)
    except (WarrenError, OSError) as e:
        sys.exit(f"the broker's definitions were not written: {e}")


if __name__ == "__main__":
    main()
