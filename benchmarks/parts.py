"""The four parts: wide, deep, processor, growth. Each yields lines of the table.

Contestants take turns (A B C, A B C, …), so that a slow minute of the machine meets all of them;
ratios are medians of the ratios of each round.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from benchmarks.contestants import OURS, PLAIN, Contestants
from benchmarks.measure import Measured, run
from benchmarks.server import Server, serving
from benchmarks.table import Line, at_least, at_most, median

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LATENCY = 0.15  # seconds
ACCOUNTS = 2  # of each organization
LIMITS = ((1000, 10.0), (10000, 600.0))


@dataclass(frozen=True)
class Sizes:
    """How much is read, and how often."""

    rounds: int
    wide_rounds: int
    wide: int  # organizations, for the tap
    wide_plain: int  # organizations, for the plain tap, one request after the other
    wide_peers: int  # organizations, for peers, twenty requests at a time
    deep: int  # transactions of one account
    deep_others: int
    processor: int  # transactions
    growth: tuple[int, ...]  # organizations
    growth_others: int  # they stop there


FULL = Sizes(5, 2, 200, 6, 40, 100_000, 5_000, 30_000, (10, 100, 1000), 100)
QUICK = Sizes(1, 1, 40, 4, 20, 20_000, 2_000, 10_000, (4, 40), 40)


def floor(requests: int) -> float:
    """Seconds before the last of so many requests may start, and the way of that one."""
    return max((requests - 1) // most * seconds for most, seconds in LIMITS) + LATENCY


class Parts:
    """Runs the parts in order."""

    def __init__(
        self, contestants: Contestants, sizes: Sizes, folder: Path, say: Callable[[str], None]
    ) -> None:
        self.contestants, self.sizes = contestants, sizes
        self._folder, self._say = folder, say

    def wide(self) -> Iterator[Line]:
        """Many organizations, all default streams, as far away and as strict as Qonto."""
        sizes = self.sizes
        data: dict[str, t.Any] = {"latency": LATENCY, "transactions": 40, "accounts": ACCOUNTS}
        ours, requests, refused = [], [], 0
        others: dict[str, list[float]] = {}
        for turn in range(sizes.wide_rounds):
            label = f"wide, round {turn + 1}"
            # a server for each run: what one sent is held against the next
            with serving(limits=True, organizations=sizes.wide, **data) as server:
                ours.append(self._run(label, OURS, server, limits=True))
                count, too_many = server.requests()
                requests.append(count)
                refused += too_many
            with (
                serving(organizations=2, **data) as small,
                serving(organizations=sizes.wide_plain, **data) as some,
                serving(organizations=sizes.wide_peers, **data) as many,
            ):
                for name in self.contestants.names[1:]:
                    count, large = (
                        (sizes.wide_plain, some) if name == PLAIN else (sizes.wide_peers, many)
                    )
                    few, most = (self._run(label, name, one).wall for one in (small, large))
                    slope = (most - few) / (count - 2)
                    others.setdefault(f"{name} (from {count})", []).append(
                        few + slope * (sizes.wide - 2)
                    )
        per_second = median(requests) / median(one.wall for one in ours)
        yield from self._seconds(
            "wide", f"{sizes.wide} organizations", ours, requests, others, 1.15
        )
        yield Line(
            "wide", f"answers 429 ({per_second:.0f} requests/s)", str(refused), "", "", None, "0",
            refused == 0,
        )  # fmt: skip

    def deep(self) -> Iterator[Line]:
        """One account, far away."""
        sizes = self.sizes
        data: dict[str, t.Any] = {"latency": LATENCY, "organizations": 1, "accounts": 1}
        ours: list[Measured] = []
        short: list[Measured] = []
        others: dict[str, list[float]] = {}
        requests = []
        with (
            serving(transactions=sizes.deep, **data) as server,
            serving(transactions=100, **data) as small,
            serving(transactions=sizes.deep_others, **data) as large,
        ):
            for turn in range(sizes.rounds):
                label = f"deep, round {turn + 1}"
                short.append(self._run(label, OURS, large, TRANSACTIONS))
                before, _ = server.requests()
                ours.append(self._run(label, OURS, server, TRANSACTIONS, limits=True))
                requests.append(server.requests()[0] - before)
                for name in self.contestants.names[1:]:
                    few, many = (
                        self._run(label, name, one, TRANSACTIONS).wall for one in (small, large)
                    )
                    slope = (many - few) / (sizes.deep_others - 100)
                    others.setdefault(f"{name} (from {sizes.deep_others:,})", []).append(
                        few + slope * (sizes.deep - 100)
                    )
        yield from self._seconds(
            "deep", f"{sizes.deep:,} transactions", ours, requests, others, 1.5
        )
        little, much = (median(one.peak for one in runs) for runs in (short, ours))
        yield Line(
            "deep", f"peak memory, {sizes.deep_others:,} → {sizes.deep:,} rows, MB",
            f"{little:.0f} → {much:.0f}", "", "", *at_most(much / little, 1.5),
        )  # fmt: skip

    @staticmethod
    def _seconds(
        part: str,
        what: str,
        ours: list[Measured],
        requests: list[int],
        others: dict[str, list[float]],
        aim: float,
    ) -> Iterator[Line]:
        """Seconds against the floor, and against the others: these are extrapolated."""
        seconds = median(one.wall for one in ours)
        least = floor(int(median(requests)))
        what, own = f"{what}, seconds", f"{seconds:.1f}"
        if requests[0] > LIMITS[0][0]:  # fewer may all start at once: the budget is no limit
            verdict = at_most(seconds / least, aim)
            yield Line(part, what, own, "the budget", f"{least:.1f}", *verdict)
        for name, values in others.items():
            ratio = median(other / one.wall for one, other in zip(ours, values, strict=True))
            line = Line(part, what, own, name, f"{median(values):.0f}", ratio)
            if part == "wide" and name.startswith(PLAIN):
                line = Line(*line[:5], *at_least(ratio, 12))
            yield line

    def processor(self) -> Iterator[Line]:
        """No latency: what a row costs."""
        sizes = self.sizes
        runs: dict[str, list[Measured]] = {}
        idle: dict[str, list[Measured]] = {}
        names = [*self.contestants.names, "limit"]
        data: dict[str, t.Any] = {"organizations": 1, "accounts": 1}
        with (
            serving(transactions=sizes.processor, **data) as server,
            serving(transactions=100, **data) as small,
        ):
            pages = {server: self._pages(server), small: self._pages(small)}
            for turn in range(sizes.rounds):
                for name in names:
                    for where, into in ((small, idle), (server, runs)):
                        command = None if name != "limit" else self.contestants.limit(pages[where])
                        measured = self._run(
                            f"processor, round {turn + 1}", name, where, TRANSACTIONS, command
                        )
                        into.setdefault(name, []).append(measured)

        def speeds(name: str) -> list[float]:
            """Rows a second of one core, start-up taken off."""
            pairs = zip(runs[name], idle[name], strict=True)
            return [(one.rows - none.rows) / (one.cpu - none.cpu) for one, none in pairs]

        own = speeds(OURS)
        what = "rows a second of one core"
        yield Line(
            "processor",
            what,
            f"{median(own):,.0f}",
            "",
            "",
            None,
            "≥ 10,000",
            median(own) >= 10_000,
        )
        whole = median(one.rows / one.cpu for one in runs[OURS])
        start = median(one.cpu for one in idle[OURS])
        yield Line(
            "processor", f"with start-up ({start:.1f} s), {sizes.processor:,} rows",
            f"{whole:,.0f}", "", "", None,
        )  # fmt: skip
        for name in names[1:]:
            theirs = speeds(name)
            ratio = median(a / b for a, b in zip(own, theirs, strict=True))
            aim = {PLAIN: 4.0, "limit": None}.get(name, 1.0)
            verdict = at_least(ratio, aim) if aim else (ratio,)
            against = "decode + encode only" if name == "limit" else name
            yield Line(
                "processor", what, f"{median(own):,.0f}", against, f"{median(theirs):,.0f}",
                *verdict,
            )  # fmt: skip

    def growth(self) -> Iterator[Line]:
        """Ten times the organizations: what becomes of processor, STATE + SCHEMA and memory."""
        sizes = self.sizes
        found: dict[str, dict[int, list[Measured]]] = {}
        for count in sizes.growth:
            for turn in range(sizes.rounds if count < 50 else 1):
                with serving(organizations=count, transactions=20, accounts=ACCOUNTS) as server:
                    names = self.contestants.names if count <= sizes.growth_others else [OURS]
                    for name in names:
                        measured = self._run(
                            f"growth, {count} organizations, round {turn + 1}", name, server
                        )
                        found.setdefault(name, {}).setdefault(count, []).append(measured)
        for small, large in zip(sizes.growth, sizes.growth[1:], strict=False):
            for name, by_count in found.items():
                if large in by_count:
                    yield from self._grown(name, small, large, by_count)
        large = sizes.growth[-1]
        peak = median(one.peak for one in found[OURS][large])
        yield Line(
            "growth", f"peak memory of {large} organizations, MB", f"{peak:.0f}", "", "", None,
            "< 150", peak < 150,
        )  # fmt: skip

    def _grown(
        self, name: str, small: int, large: int, by_count: dict[int, list[Measured]]
    ) -> Iterator[Line]:
        times = large / small
        for what, of in (("processor, s", "cpu"), ("STATE + SCHEMA, MB", "overhead")):
            before, after = (median(getattr(m, of) for m in by_count[n]) for n in (small, large))
            if not before:
                continue
            unit = 1e6 if of == "overhead" else 1
            values = f"{before / unit:.2f} → {after / unit:.2f}"
            ratio = after / before
            label = f"{small} → {large} organizations, {what}"
            if name == OURS:
                yield Line("growth", label, values, "", "", *at_most(ratio, 1.1 * times))
            else:
                yield Line("growth", label, "", name, values, ratio)

    def _run(
        self,
        label: str,
        name: str,
        server: Server,
        only: list[str] | None = None,
        command: list[str] | None = None,
        *,
        limits: bool = False,
    ) -> Measured:
        if command is None and name == OURS and limits:
            more = {"rate_limits": [list(window) for window in LIMITS]}
            command = self.contestants.ours(server, only, **more)
        measured = run(command or self.contestants.command(name, server, only))
        self._say(
            f"{label}: {name}: {measured.wall:.1f} s, processor {measured.cpu:.1f} s, "
            f"{measured.peak:.0f} MB, {measured.rows:,} rows"
        )
        return measured

    def _pages(self, server: Server) -> Path:
        """The bodies that a tap decodes, in a file, for the limit."""
        path = self._folder / f"pages-{len(server.url)}-{server.url.rsplit(':', 1)[1]}"
        with path.open("wb") as file:
            for body in server.pages("/v2/transactions"):
                file.write(body + b"\n")
        return path


TRANSACTIONS = ["transactions"]
