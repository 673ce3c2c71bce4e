"""The contract as it was written, with its examples: `contract/openapi.yaml`."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

import yaml

FILE = Path(__file__).parents[2] / "contract" / "openapi.yaml"


@functools.cache
def source() -> dict[str, t.Any]:
    document: dict[str, t.Any] = yaml.load(
        FILE.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return document


@functools.cache
def operations() -> dict[str, dict[str, t.Any]]:
    """The bulk operations, by stream."""
    return {
        operation["x-stream"]: operation
        for methods in source()["paths"].values()
        for operation in methods.values()
        if "x-stream" in operation
    }


def examples(stream: str) -> list[t.Any]:
    """The rows of the response that the contract shows."""
    operation = operations()[stream]
    body = operation["responses"]["200"]["content"]["application/json"]["example"]
    rows = body.get(operation["x-envelope"], body) if operation["x-envelope"] else body
    return rows if isinstance(rows, list) else [rows]
