"""The services of this installation: entry points of the group `warren.services`, name -> package."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points


@cache
def service_packages() -> dict[str, str]:
    """Return each service's name and the package that `python -m` runs, gateways first."""
    found = {e.name: e.value for e in entry_points(group="warren.services")}
    return dict(sorted(found.items(), key=lambda item: (item[0] != "gateway", item[0])))
