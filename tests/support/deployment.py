"""What compose.yaml, HAProxy's files and the Dockerfile say, held against the code: each rule yields what is wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from warren.settings import Settings
from warren.stack.plan import GATEWAY
from warren.stack.secrets import ADMIN
from warren.stack.services import service_packages
from warren.stack.write_definitions import password_variable

IMAGE = "warren"
INFRASTRUCTURE = {"rabbitmq": {5672, 15672}, "mongo": {27017}, "jaeger": {4318}}
"""Ports on which images that are not ours listen."""
LOOPBACK = "127.0.0.1"
PATHS = {"WARREN_DLQ_TOKENS"}
"""Variables that are called like secrets, and name a file."""
REQUIRED = re.compile(r"\$\{\w+:\?")
"""A variable that compose refuses to go without."""


@dataclass(slots=True)
class Deployment:
    """`config` is what compose makes of the file with all variables filled in, `source` is the file as written."""

    config: dict[str, Any]
    source: dict[str, Any]
    haproxy: str
    backend: str
    dockerfile: str

    @property
    def services(self) -> dict[str, Any]:
        """All entries of compose."""
        found: dict[str, Any] = self.config["services"]
        return found

    def running(self, service: str) -> dict[str, Any]:
        """Entries that run one of our services."""
        command = ["python", "-m", service_packages()[service]]
        return {n: e for n, e in self.services.items() if e["image"] == IMAGE and e.get("command") == command}

    def ours(self) -> Iterator[tuple[str, str, dict[str, Any], type[Settings]]]:
        """Yield service, name, entry and settings class of each process of ours."""
        for service in service_packages():
            for name, entry in self.running(service).items():
                yield service, name, entry, settings_class(service)

    def problems(self) -> list[str]:
        """Return what does not agree, in plain words."""
        return [problem for rule in RULES for problem in rule(self)]


def settings_class(service: str) -> type[Settings]:
    """Return the settings class that a service's package defines."""
    module = import_module(f"{service_packages()[service]}.settings")
    classes = [c for _, c in inspect.getmembers(module, inspect.isclass) if issubclass(c, Settings)]
    return next(c for c in classes if c.__module__ == module.__name__)


def every_service_runs(d: Deployment) -> Iterator[str]:
    for service in service_packages():
        entries = d.running(service)
        if len(entries) < (2 if service == GATEWAY else 1):
            yield f"too few entries run {service}"
        yield from (f"{n} runs {service}: a misleading name" for n in entries if not n.startswith(service))
    for name, entry in d.services.items():
        if entry["image"] == IMAGE and (entry["command"][:2] != ["python", "-m"] or not _exists(entry["command"][2])):
            yield f"{name} runs what is not there: {entry['command']}"


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def settings_are_known_and_complete(d: Deployment) -> Iterator[str]:
    for service, name, entry, settings in d.ours():
        given = {k.removeprefix("WARREN_").lower() for k in entry["environment"] if k.startswith("WARREN_")}
        yield from (f"{name}: no setting is called WARREN_{v.upper()}" for v in given - set(settings.model_fields))
        if str(settings.model_fields["port"].default) != entry["environment"].get("WARREN_PORT"):
            yield f"{name}: WARREN_PORT is not the service's own"
        stores = find_spec(f"{service_packages()[service]}.repository") is not None
        for field, info in settings.model_fields.items():
            default = info.default.get_secret_value() if isinstance(info.default, SecretStr) else info.default
            needed = info.is_required() or field in {"service_token", "jwt_secret"} or LOOPBACK in str(default)
            if field == "host" or (field == "mongo_url" and not stores):
                continue  # the image sets the one, and not every service has a database
            if needed and field not in given:
                yield f"{name}: WARREN_{field.upper()} is missing"


def addresses_lead_somewhere(d: Deployment) -> Iterator[str]:
    for service, name, entry, _ in d.ours():
        for key, value in entry["environment"].items():
            url = urlsplit(str(value))
            if "://" not in str(value):
                continue
            other = d.services.get(url.hostname or "")
            if other is None or not set(entry["networks"]) & set(other["networks"]):
                yield f"{name}: {key} leads nowhere: no {url.hostname} in its networks"
                continue
            listens = INFRASTRUCTURE.get(str(url.hostname)) or {int(other["environment"]["WARREN_PORT"])}
            if url.port not in listens:
                yield f"{name}: {key} has port {url.port}, {url.hostname} listens on {listens}"
            if url.hostname == "rabbitmq" and url.username != service:
                yield f"{name}: {key} uses the broker's user {url.username}"


def broker_users_agree(d: Deployment) -> Iterator[str]:
    made = d.services["definitions"]["environment"]
    users = {password_variable(u): u for u in (ADMIN, *service_packages())}
    yield from (f"definitions: {v} is missing or too much" for v in set(made) ^ set(users))
    for service, name, entry, _ in d.ours():
        for key in ("WARREN_AMQP_URL", "WARREN_MANAGEMENT_URL"):
            url = urlsplit(entry["environment"].get(key, ""))
            if url.netloc and url.password != made.get(password_variable(service)):
                yield f"{name}: {key} has not the password that definitions gives to {service}"


def only_loopback_is_published(d: Deployment) -> Iterator[str]:
    for name, entry in d.services.items():
        for port in entry.get("ports", []):
            if port.get("host_ip") != LOOPBACK:
                yield f"{name}: port {port['target']} is open to the world"


def everything_waits_and_restarts(d: Deployment) -> Iterator[str]:
    for service, name, entry, _ in d.ours():
        needed = {"rabbitmq"} | ({"mongo"} if find_spec(f"{service_packages()[service]}.repository") else set())
        healthy = {n for n, how in entry.get("depends_on", {}).items() if how["condition"] == "service_healthy"}
        yield from (f"{name} does not wait until {n} is healthy" for n in needed - healthy)
    for name, entry in d.services.items():
        if name != "definitions" and entry.get("restart") != "unless-stopped":
            yield f"{name} is not restarted"


def haproxy_knows_the_gateways(d: Deployment) -> Iterator[str]:
    gateways = d.running(GATEWAY)
    servers = dict(re.findall(r"^\s*server\s+(\S+)\s+(\S+)", d.backend, re.MULTILINE))
    wanted = {name: f"{name}:{e['environment']['WARREN_PORT']}" for name, e in gateways.items()}
    if servers != wanted:
        yield f"gateways.cfg: servers are {servers}, gateways {wanted}"
    for line in ("http-check send meth GET uri /lb", "http-check expect status 200", "option forwardfor"):
        if not re.search(rf"^\s*{line}$", d.haproxy, re.MULTILINE):
            yield f"haproxy.cfg: no `{line}`"
    entry = d.services["haproxy"]
    bound = {entry["environment"].get(v) for v in re.findall(r'^\s*bind "\$\{(\w+)\}"$', d.haproxy, re.MULTILINE)}
    published = {f":{p['target']}" for p in entry["ports"]}
    if bound != published:
        yield f"haproxy: listens on {bound}, published are {published}"


def gateways_believe_haproxy_only(d: Deployment) -> Iterator[str]:
    between = set(d.services["haproxy"]["networks"])
    subnets = {c["subnet"] for n in between for c in d.config["networks"][n].get("ipam", {}).get("config", [])}
    gateways = d.running(GATEWAY)
    for name, entry in gateways.items():
        if entry["environment"].get("WARREN_TRUSTED_PROXIES") not in subnets:
            yield f"{name}: trusts other addresses than those of haproxy's network"
    for name, entry in d.services.items():
        if name not in {*gateways, "haproxy"} and between & set(entry.get("networks") or ()):
            yield f"{name} is in a network that gateways trust"


def alive_files_exist(d: Deployment) -> Iterator[str]:
    for name, entry in d.running(GATEWAY).items():
        path = entry["environment"].get("WARREN_ALIVE_FILE")
        if not path or not re.search(rf"install .*/dev/null {re.escape(path)}$", d.dockerfile, re.MULTILINE):
            yield f"{name}: no IsAlive file {path} in the image"


def nothing_secret_is_written_down(d: Deployment) -> Iterator[str]:
    for name, entry in d.source["services"].items():
        for key, value in (entry.get("environment") or {}).items():
            secret = key not in PATHS and re.search(r"PASSWORD|SECRET|TOKEN|_KEY", key) and str(value or "")
            password = re.search(r"://[^/@]*?:(?P<password>.*)@", str(value))
            for found in filter(None, (secret, password and password["password"])):
                if not REQUIRED.match(found):
                    yield f"{name}: {key} has a secret in it, or a default for one"


RULES: tuple[Callable[[Deployment], Iterator[str]], ...] = (
    every_service_runs,
    settings_are_known_and_complete,
    addresses_lead_somewhere,
    broker_users_agree,
    only_loopback_is_published,
    everything_waits_and_restarts,
    haproxy_knows_the_gateways,
    gateways_believe_haproxy_only,
    alive_files_exist,
    nothing_secret_is_written_down,
)
