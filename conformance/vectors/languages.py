"""Selections of vectors: those of a dialect and a dtype, and their JSON text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adamcore.conformance.vectors.answers import claim_of_json
from adamcore.conformance.vectors.files import SHIPPED, VectorError, read_file, read_index

Json = dict[str, Any]


def find_files(dialect: str | None, folder: Path = SHIPPED) -> list[str]:
    """Return the names of a dialect's files: its own, else that of a dialect that computes the same.

    Raises:
        VectorError: the folder has no edition, or the edition has no such dialect.
        DialectError: no dialect of this name.
    """
    index = read_index(folder)
    if dialect is None:
        return list(index["files"])
    names = [name for name, entry in index["files"].items() if entry["dialect"] == dialect]
    return names or [equivalent_file(dialect, index, folder)]


def equivalent_file(dialect: str, index: Json, folder: Path) -> str:
    """Return the file of a dialect that computes the same.

    The precision of the coefficients and the axes of absent gradients are not compared.
    """
    from adamcore.conformance.claims import claim_of_dialect
    from adamcore.conformance.oracle.sharing import equivalent_claim
    from adamcore.conformance.vectors.inputs import INPUTS

    probe = INPUTS[0].probe
    adam = claim_of_dialect(dialect).adam
    for name in index["files"]:
        axes = claim_of_json(read_file(folder, name, index)["axes"])
        if equivalent_claim(axes, probe, exact=True) == equivalent_claim(adam, probe, exact=True):
            return str(name)
    have = ", ".join(entry["dialect"] for entry in index["files"].values())
    raise VectorError(f"edition {index['edition']} has no vectors for {dialect}; it has {have}")


def select_vectors(dialect: str | None = None, dtype: str | None = None, folder: Path = SHIPPED) -> Json:
    """Return the vectors of a dialect and a dtype, each with its dialect; None selects all."""
    index = read_index(folder)
    files = [read_file(folder, name, index) for name in find_files(dialect, folder)]
    return {
        "schema": "adamcore-vectors-selection/1",
        "edition": index["edition"],
        "axes": {content["dialect"]: content["axes"] for content in files},
        "vectors": [
            {"dialect": content["dialect"], **v}
            for content in files
            for v in content["vectors"]
            if dtype in (None, v["dtype"])
        ],
    }


def selection_json(selection: Json) -> str:
    return json.dumps(selection, indent=1)
