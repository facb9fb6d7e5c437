"""Selections of vectors for other languages: as JSON, and as a C header, which needs no parser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adamcore.conformance.dtypes import DTYPES, from_bits
from adamcore.conformance.types import FloatArray
from adamcore.conformance.vectors.answers import claim_of_json
from adamcore.conformance.vectors.files import SHIPPED, VectorError, read_file, read_index

Json = dict[str, Any]

C_TYPES = {"float32": "float", "float64": "double", "bfloat16": "uint16_t", "float16": "uint16_t"}

STRUCT = """\
/* One parameter through the steps of one vector. Arrays of [steps][size] are stored row by row. */
typedef struct {{
    const char *dialect, *id, *flags; /* flags: pitfalls, a space between them */
    int parameter, steps, size;
    double b1, b2, eps, eps_root, weight_decay, momentum_decay;
    const double *lr;             /* [steps] */
    const long *t;                /* [steps] the clock of the update; the first is 1 */
    const unsigned char *present; /* [steps] 0: no gradient, p, m and v stay bit for bit */
    const adam_number *p0, *m0, *v0, *v_max0; /* [size] before the first step */
    const adam_number *g;                     /* [steps][size] */
    const adam_number *p, *m, *v, *v_max;     /* [steps][size] exact, rounded once */
    const double *p_bound, *m_bound, *v_bound, *v_max_bound; /* [steps][size] the error allowed */
}} adam_case;
"""


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


def values(packed: str, dtype: str) -> FloatArray:
    """Return the numbers of a string of bit patterns, in the dtype's carrier.

    >>> values("3f80 c000", "bfloat16")
    array([ 1., -2.], dtype=float32)
    """
    width = f"u{DTYPES[dtype].width // 8}"
    return from_bits(np.array([int(word, 16) for word in packed.split()], dtype=width), dtype)


def c_header(selection: Json, dtype: str) -> str:
    """Return a C99 header with the vectors of one dtype as constants."""
    cases = [case for v in selection["vectors"] if v["dtype"] == dtype for case in c_cases(v)]
    narrow = "" if DTYPES[dtype].width > 16 else f", the bits of {dtype}"
    return "\n".join(
        [
            f"/* adam-vectors {selection['edition']}, {dtype}: made by `adamcore vectors --for C`. */",
            "#ifndef ADAM_VECTORS_H",
            "#define ADAM_VECTORS_H",
            "#include <stdint.h>",
            "",
            f"typedef {C_TYPES[dtype]} adam_number; /* {dtype}{narrow} */",
            "",
            STRUCT.format(),
            "static const adam_case adam_cases[] = {",
            *cases,
            "};",
            f"static const int adam_case_count = {len(cases)};",
            "#endif",
            "",
        ]
    )


def c_cases(v: Json) -> Iterator[str]:
    """Yield the initializers of a vector, one for each parameter."""
    dtype = v["dtype"]
    for i, parameter in enumerate(v["params"]):
        count = len(parameter["bits"].split())
        start = v["start"][i] if v["start"] else {}
        zero = " ".join(["0" * (DTYPES[dtype].width // 4)] * count)

        def numbers(packed: str, dtype: str = dtype) -> str:
            return literal_array("adam_number", c_numbers(packed, dtype))

        def rows(name: str, i: int = i, zero: str = zero) -> str:
            return numbers(" ".join(step[name][i] or zero for step in v["steps"] if name in step))

        def doubles(name: str, i: int = i) -> str:
            found = [repr(b) for step in v["steps"] if name in step for b in step[name][i]]
            return literal_array("double", found)

        hyper = [
            v["hyper"].get(k, 0.0) for k in ("b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay")
        ]
        maximum = "v_max" in v["steps"][0]
        fields = [
            f'"{v["dialect"]}", "{v["id"]}", "{" ".join(v["flags"])}", {i}, {len(v["steps"])}, {count}',
            ", ".join(repr(float(x)) for x in hyper),
            literal_array("double", [repr(float(s["lr"])) for s in v["steps"]]),
            literal_array("long", [str(s["t"][i]) for s in v["steps"]]),
            literal_array("unsigned char", [str(int(s["grads"][i] is not None)) for s in v["steps"]]),
            numbers(parameter["bits"]),
            *(numbers(start.get(k, zero)) for k in ("m", "v", "v_max")),
            rows("grads"),
            *(rows(k) for k in ("p", "m", "v")),
            rows("v_max") if maximum else "0",
            *(doubles(k) for k in ("p_bound", "m_bound", "v_bound")),
            doubles("v_max_bound") if maximum else "0",
        ]
        yield "  {" + ",\n   ".join(fields) + "},"


def literal_array(kind: str, items: Sequence[str]) -> str:
    return f"(const {kind}[]){{{', '.join(items)}}}"


def c_numbers(packed: str, dtype: str) -> list[str]:
    """Return C literals: hex floats, which are exact in C99, or bits for dtypes that C does not have."""
    if DTYPES[dtype].width == 16:
        return [f"0x{word}" for word in packed.split()]
    suffix = "f" if dtype == "float32" else ""
    return [float(x).hex() + suffix for x in values(packed, dtype)]
