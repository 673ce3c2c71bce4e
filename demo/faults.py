"""Faults on demand, while the server runs.

    faults.add("status", status=503, path="/v2/transactions", times=3)
    faults.add("latency", seconds=0.2, jitter=0.1)
    faults.add("cut", when="mid", path="/v2/labels$", rate=0.05)
    faults.clear()

Kinds, and what each takes besides `path` (regular expression, searched in the path), `method`,
`organization` (id, as in the header), `times` (how many requests it strikes; default: for ever)
and `rate` (share of requests, 0 to 1):

    status      status=500, retry_after=None (text of the header), body=None (default: Qonto's)
    unauthorized                            401, as for an expired token
    latency     seconds=0.0, jitter=0.0     the answer comes later; further faults still strike
    stall       seconds=3600.0              nothing comes for that long, then the connection ends
    cut         when="before"               the request is not looked at, the connection ends
                when="after"                the request has its effect, the answer is lost
                when="mid"                  half the body, then the connection ends
    truncated                               half the JSON, as if it were all
    html, empty, text                       200 with that body
    wrong_type                              200, JSON, but the rows are a text
    nonsense    body=...                    200, JSON of your choice

The first fault that matches strikes; latencies add up before it.
"""

from __future__ import annotations

import random
import re
import typing as t
from dataclasses import dataclass, field
from threading import Lock

KINDS = frozenset(
    [
        "status",
        "unauthorized",
        "latency",
        "stall",
        "cut",
        "truncated",
        "html",
        "empty",
        "text",
        "wrong_type",
        "nonsense",
    ]
)


@dataclass
class Fault:
    """One rule; see the module. `struck` counts."""

    kind: str
    path: str = ""
    method: str | None = None
    organization: str | None = None
    times: int | None = None
    rate: float = 1.0
    status: int = 500
    retry_after: str | None = None
    body: t.Any = None
    seconds: float = 0.0
    jitter: float = 0.0
    when: str = "before"
    struck: int = 0
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}: use one of {', '.join(sorted(KINDS))}")
        if self.when not in {"before", "after", "mid"}:
            raise ValueError(f"when is {self.when!r}: use before, after or mid")
        if self.kind == "stall" and not self.seconds:
            self.seconds = 3600.0
        self.pattern = re.compile(self.path)


class Faults:
    """The rules in force, oldest first. `seed` makes the chances repeatable."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._rules: list[Fault] = []
        self._lock = Lock()

    def add(self, kind: str, **facts: t.Any) -> Fault:
        """A new rule, in force at once.

        Raises:
            ValueError: an unknown kind or moment.
        """
        fault = Fault(kind, **facts)
        with self._lock:
            self._rules.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._rules.remove(fault)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def rules(self) -> list[Fault]:
        return list(self._rules)

    def strike(
        self, method: str, path: str, organization: str | None = None
    ) -> tuple[float, Fault | None]:
        """Seconds to wait, and the fault that strikes this request, if any."""
        wait = 0.0
        if not self._rules:
            return wait, None
        with self._lock:
            for rule in self._rules:
                if rule.times is not None and rule.struck >= rule.times:
                    continue
                if rule.method not in {None, method} or not rule.pattern.search(path):
                    continue
                if rule.organization not in {None, organization}:
                    continue
                if rule.rate < 1.0 and self._random.random() >= rule.rate:
                    continue
                rule.struck += 1
                if rule.kind != "latency":
                    return wait, rule
                wait += rule.seconds + self._random.random() * rule.jitter
        return wait, None
