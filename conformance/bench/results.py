"""The file of a run: its environment, its rows, and the examples that the fast paths do not support."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from adamcore.conformance.bench.measure import Row
from adamcore.conformance.settings import PROCESSORS

SCHEMA = "adamcore-bench/2"
PACKAGES = ("adamcore", "numpy", "llvmlite", "torch", "jax", "jaxlib", "optax")


def environment() -> dict[str, Any]:
    """Return what the figures depend on: the date, Python, the machine, its load and the packages."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": processor(),
        "cores": PROCESSORS,
        "load": None if load is None else round(load, 1),
        "packages": versions,
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    widest = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""
    return ", ".join(filter(None, (name, widest)))


def document(
    rows: Sequence[Row], before: dict[str, Any], candidate: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what ``--json`` writes.

    Args:
        rows: what was timed.
        before: the environment before the run.
        candidate: what a check says of the candidate that was timed; None if it was our own backends.
    """
    from adamcore.conformance.bench.coverage import prices, unsupported_examples

    made = {"schema": SCHEMA, "environment": before, "rows": [asdict(row) for row in rows]}
    if candidate is not None:
        return made | {"unserved": {}, "candidate": candidate}
    unserved = unsupported_examples({row.framework for row in rows})
    return made | {"unserved": unserved, "prices": prices(unserved)}


def load(path: Path) -> dict[str, Any]:
    """Return a stored run.

    Raises:
        ValueError: the file has another schema.
    """
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != SCHEMA:
        raise ValueError(f"{path}: schema {found.get('schema')!r}, expected {SCHEMA!r}")
    return found
