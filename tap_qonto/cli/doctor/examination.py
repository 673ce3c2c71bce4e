"""Asks an account all that is assumed: a table for people, a report of shapes to send."""

from __future__ import annotations

import importlib.metadata
import json
import re
import typing as t
from collections import Counter
from dataclasses import dataclass

from tap_qonto.cli.doctor.account import MOST_REQUESTS, OK, Account, Exhausted
from tap_qonto.cli.doctor.assumptions import ASSUMPTIONS, Assumption
from tap_qonto.cli.doctor.finding import Finding
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestFailed,
    SettingsError,
    StoreError,
)
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from pathlib import Path

    from tap_qonto.settings import Settings
    from tap_qonto.streams.client import QontoStream

ORDER = ("does not hold", "can't tell", "holds")
SURPRISED = 4
"""Exit code: something does not hold."""
FLOWS = {"user": "the user flow", "membership": "a membership session"}
METAS = frozenset(
    (
        *("current_page", "next_page", "prev_page", "previous_page", "total_pages"),
        *("total_count", "per_page"),
    )
)


@dataclass(frozen=True)
class Examination:
    """What was found out: findings in the order of `ASSUMPTIONS`, and shapes for the report."""

    flow: str
    """`user`, `membership` or `api_key`."""
    organizations: int
    requests: int
    findings: list[tuple[Assumption, Finding]]
    streams: dict[str, dict[str, t.Any]]

    @property
    def exit_code(self) -> int:
        """0, or `SURPRISED`."""
        return SURPRISED * any(one.verdict == ORDER[0] for _, one in self.findings)

    def __str__(self) -> str:
        """Lay it out for people: the surprising first."""
        counts = Counter[str](one.verdict for _, one in self.findings)
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])
        count = (
            "1 organization" if self.organizations == 1 else f"{self.organizations} organizations"
        )
        asked = f"Asked with {FLOWS.get(self.flow, 'an API key')}"
        lines = [
            f"{asked}: {count}, {self.requests} requests. Of what is assumed: {told}.",
            "",
        ]
        for verdict in ORDER:
            for assumption, finding in self.findings:
                if finding.verdict == verdict:
                    seen = f" [{finding.seen}]" if finding.seen else ""
                    then = f" So: {assumption.otherwise}" if verdict == ORDER[0] else ""
                    text = _plain(f"{assumption.sentence}{seen}{then}")
                    lines.append(f"{verdict:13} {assumption.number:>2}  {text}")
        lines += ["", *self._refused()]
        if self.exit_code:
            lines.append(
                "What does not hold, the tap reads all the same, as each line says. Please tell "
                "us: tap-qonto-auth doctor --report FILE writes names, types, counts and codes, "
                "never a value, to be attached to an issue."
            )
        else:
            lines.append("Nothing is surprising, and nothing has to be done.")
        return "\n".join(lines)

    def _refused(self) -> t.Iterator[str]:
        """Yield which lists were not read, by the code that Qonto answered."""
        by_status: dict[int, list[str]] = {}
        for name, facts in self.streams.items():
            if facts["status"] != OK:
                by_status.setdefault(facts["status"], []).append(name)
        for status, names in sorted(by_status.items()):
            code = str(status) if status else "no usable answer"
            yield f"Not read here ({code}): {', '.join(names)}."

    @property
    def report(self) -> dict[str, t.Any]:
        """Names, types, counts and codes: nothing that stands in a row."""
        return {
            "tap-qonto": importlib.metadata.version("tap-qonto"),
            "flow": self.flow,
            "organizations": self.organizations,
            "requests": self.requests,
            "assumptions": {
                str(one.number): {
                    "assumed": one.sentence,
                    "verdict": finding.verdict,
                    "seen": finding.seen,
                }
                for one, finding in self.findings
            },
            "streams": self.streams,
        }

    def write(self, file: Path) -> None:
        """Write the report.

        Raises:
            SettingsError: the file can't be written.
        """
        try:
            text = json.dumps(self.report, indent=1, ensure_ascii=False)
            file.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise SettingsError([f"{file} can't be written: {error.strerror}."]) from None


def examine(settings: Settings) -> Examination:
    """Ask, read only, within the request budget and at most `MOST_REQUESTS` times.

    Raises:
        LoginRequired, SettingsError, StoreError: nobody can be asked.
        QontoError: Qonto does not tell which organizations there are.
    """
    tap = TapQonto(config={}, validate_config=False)
    streams = t.cast("list[QontoStream]", [*tap.streams.values()])
    account = Account(settings, streams, f"tap-qonto-doctor/{tap.plugin_version}")
    try:
        count = len(account.organizations.ids())
        findings = [(one, _found(one, account)) for one in ASSUMPTIONS if one.check]
        shapes = _shapes(account)
    finally:
        account.close()
    return Examination(account.session.flow, count, account.requests, findings, shapes)


def _found(assumption: Assumption, account: Account) -> Finding:
    assert assumption.check is not None  # noqa: S101 - chosen so
    try:
        return assumption.check(account)
    except Exhausted:
        return Finding("can't tell", f"{MOST_REQUESTS} requests are used up")
    except (LoginRequired, SettingsError, StoreError):
        raise
    except QontoError:
        return Finding("can't tell", "Qonto does not answer")
    except Exception as error:  # noqa: BLE001 - whatever Qonto sends, the others are looked into
        return Finding("can't tell", f"what came is too odd to judge ({type(error).__name__})")


def _shapes(account: Account) -> dict[str, dict[str, t.Any]]:
    try:
        types = account.shapes.types
    except RequestFailed:
        types = {}
    return {
        name: {
            "status": sample.reply.status,
            "rows": len(sample.rows),
            "total": sample.total,
            "meta": sorted(METAS.intersection(sample.meta)),
            "fields": types.get(name, {}),
        }
        for name, sample in account.samples.items()
    }


def _plain(text: str) -> str:
    """The same without marks of Markdown and numbers of quirks."""
    return re.sub(r" \(Q\d+(?:(?:-|, ?)Q\d+)*\)", "", text).replace("`", "")
