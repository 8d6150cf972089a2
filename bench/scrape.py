"""What services tell at `/metrics`, and what has changed between two looks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]


class Samples:
    """Values of counters and of sums and counts of histograms, by name and labels."""

    def __init__(self, values: Mapping[Key, float] | None = None) -> None:
        self.values = dict(values or {})

    @classmethod
    def parse(cls, text: str) -> Samples:
        """Read Prometheus' text format: what is Warren's own, without buckets; parsing all would cost too much."""
        ours = "\n".join(x for x in text.splitlines() if x.startswith("warren_") and "_bucket{" not in x) + "\n"
        families = text_string_to_metric_families(ours)
        return cls({(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples})

    def total(self, name: str, **labels: str) -> float:
        """Return the sum over all samples of that name that have these labels; 0 where there is none."""
        return sum(v for (n, given), v in self.values.items() if n == name and labels.items() <= set(given))

    def ratio(self, over: str, under: str) -> float | None:
        """Return the quotient of two totals, None of nothing."""
        divisor = self.total(under)
        return self.total(over) / divisor if divisor else None

    def mean(self, histogram: str) -> float | None:
        """Return the mean of what a histogram observed, None if nothing."""
        return self.ratio(f"{histogram}_sum", f"{histogram}_count")

    def since(self, before: Samples) -> Samples:
        """Return how much was added since."""
        return Samples({k: v - before.values.get(k, 0.0) for k, v in self.values.items()})

    @staticmethod
    def sum(many: Iterable[Samples]) -> Samples:
        """Add up what several processes tell."""
        values: dict[Key, float] = {}
        for one in many:
            for key, value in one.values.items():
                values[key] = values.get(key, 0.0) + value
        return Samples(values)


class Scraper:
    """Asks the processes of a stack: all gateways as one, the services by name."""

    def __init__(self, http: httpx.AsyncClient, gateways: Iterable[str], services: Mapping[str, str]) -> None:
        self._http = http
        self._urls = {"gateways": list(gateways), **{name: [url] for name, url in services.items()}}

    async def look(self, *names: str) -> dict[str, Samples]:
        """Return what the named ones tell, or all."""
        asked = names or tuple(self._urls)
        answers = await asyncio.gather(*[self._one(url) for name in asked for url in self._urls[name]])
        told = iter(answers)
        return {name: Samples.sum([next(told) for _ in self._urls[name]]) for name in asked}

    async def _one(self, url: str) -> Samples:
        answer = await self._http.get(f"{url}/metrics")
        answer.raise_for_status()
        return Samples.parse(answer.text)


def changes(after: Mapping[str, Samples], before: Mapping[str, Samples]) -> dict[str, Samples]:
    """Return what each has added between two looks."""
    return {name: samples.since(before[name]) for name, samples in after.items()}
