"""Vectors as source text of a language, which a program includes instead of parsing JSON.

float32 and float64 values are numbers that the language reads exactly.  bfloat16 and float16 values are
their bits, as unsigned integers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from adamcore.conformance.dtypes import DTYPES
from adamcore.conformance.vectors.cases import HYPER, START, STATE, Case, cases, values

Json = dict[str, Any]
FIELDS = (*START, "g", *STATE)  #: the arrays of numbers, in the order in which a case has them


def source(selection: Json, language: str, dtype: str) -> str:
    """Return the vectors of one dtype as source text of ``language``, a key of :data:`WRITERS`."""
    found = [case for v in selection["vectors"] if v["dtype"] == dtype for case in cases(v)]
    return "\n".join([*WRITERS[language](found, dtype, selection["edition"]), ""])


def says(language: str, dtype: str, edition: str) -> str:
    """Return the first line of a file, without the signs of a comment."""
    return f"adam-vectors {edition}, {dtype}: made by `adamcore vectors --for {language}`."


def is_narrow(dtype: str) -> bool:
    """True for a dtype whose numbers are written as their bits."""
    return DTYPES[dtype].width == 16


def decimals(packed: str, dtype: str) -> list[str]:
    """Return the numbers of bit patterns as decimals that are read back exactly, or their bits."""
    if is_narrow(dtype):
        return [f"0x{word}" for word in packed.split()]
    return [repr(float(x)) for x in values(packed, dtype)]


# C -----------------------------------------------------------------------------------------------

C_TYPES = {"float32": "float", "float64": "double", "bfloat16": "uint16_t", "float16": "uint16_t"}

STRUCT = """\
/* One parameter through the steps of one vector. Arrays of [steps][size] are stored row by row. */
typedef struct {
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
} adam_case;
"""


def c_lines(found: Sequence[Case], dtype: str, edition: str) -> list[str]:
    """Return a C99 header with the cases as constants."""
    narrow = f", the bits of {dtype}" if is_narrow(dtype) else ""
    return [
        f"/* {says('C', dtype, edition)} */",
        "#ifndef ADAM_VECTORS_H",
        "#define ADAM_VECTORS_H",
        "#include <stdint.h>",
        "",
        f"typedef {C_TYPES[dtype]} adam_number; /* {dtype}{narrow} */",
        "",
        STRUCT,
        "static const adam_case adam_cases[] = {",
        *(c_case(case, dtype) for case in found),
        "};",
        f"static const int adam_case_count = {len(found)};",
        "#endif",
    ]


def c_case(case: Case, dtype: str) -> str:
    """Return the initializer of a case."""

    def array(kind: str, items: Sequence[str]) -> str:
        return f"(const {kind}[]){{{', '.join(items)}}}"

    numbers = [
        array("adam_number", c_numbers(case.numbers[k], dtype)) if k in case.numbers else "0" for k in FIELDS
    ]
    bounds = [array("double", [repr(b) for b in case.bounds[k]]) if k in case.bounds else "0" for k in STATE]
    fields = [
        f'"{case.dialect}", "{case.id}", "{case.flags}", {case.parameter}, {case.steps}, {case.size}',
        ", ".join(map(repr, case.hyper)),
        array("double", [repr(x) for x in case.lr]),
        array("long", [str(t) for t in case.t]),
        array("unsigned char", [str(int(there)) for there in case.present]),
        *numbers,
        *bounds,
    ]
    return "  {" + ",\n   ".join(fields) + "},"


def c_numbers(packed: str, dtype: str) -> list[str]:
    """Return C literals: hex floats, which are exact in C99, or bits for dtypes that C does not have."""
    if is_narrow(dtype):
        return decimals(packed, dtype)
    suffix = "f" if dtype == "float32" else ""
    return [float(x).hex() + suffix for x in values(packed, dtype)]


# Rust --------------------------------------------------------------------------------------------

RUST_TYPES = {"float32": "f32", "float64": "f64", "bfloat16": "u16", "float16": "u16"}

RUST_STRUCT = """\
/// One parameter through the steps of one vector. Arrays of all steps are stored one step after the other.
#[allow(dead_code)]
pub struct Case {{
    pub dialect: &'static str,
    pub id: &'static str,
    pub flags: &'static str, // pitfalls, a space between them
    pub parameter: usize,
    pub steps: usize,
    pub size: usize,
{hyper}
    pub lr: &'static [f64],       // of each step
    pub t: &'static [i64],        // the clock of each update; the first is 1
    pub present: &'static [bool], // false: no gradient, p, m and v stay bit for bit
{numbers}
{bounds}
}}
"""


def rust_lines(found: Sequence[Case], dtype: str, edition: str) -> list[str]:
    """Return a Rust module with the cases as a static slice."""
    struct = RUST_STRUCT.format(
        hyper="\n".join(f"    pub {name}: f64," for name in HYPER),
        numbers="\n".join(f"    pub {name}: &'static [Number]," for name in FIELDS),
        bounds="\n".join(f"    pub {name}_bound: &'static [f64]," for name in STATE),
    )
    return [
        f"// {says('rust', dtype, edition)}",
        f"#[allow(dead_code)]\npub type Number = {RUST_TYPES[dtype]};",
        "",
        struct,
        "#[rustfmt::skip]\npub static CASES: &[Case] = &[",
        *(f"  Case {{ {record(case, dtype, ': ', '&[{}]')} }}," for case in found),
        "];",
    ]


# JavaScript --------------------------------------------------------------------------------------

JAVASCRIPT_ARRAYS = {
    "float32": "Float32Array", "float64": "Float64Array", "bfloat16": "Uint16Array", "float16": "Uint16Array"
}  # fmt: skip


def javascript_lines(found: Sequence[Case], dtype: str, edition: str) -> list[str]:
    """Return an ECMAScript module that exports the cases."""
    array = f"{JAVASCRIPT_ARRAYS[dtype]}.of({{}})"
    return [
        f"// {says('javascript', dtype, edition)}",
        "// One parameter through the steps of one vector. Arrays of all steps: one step after the other.",
        "export const cases = [",
        *(f"  {{{record(case, dtype, ': ', '[{}]', numbers=array)}}}," for case in found),
        "];",
    ]


# Julia -------------------------------------------------------------------------------------------

JULIA_TYPES = {"float32": "Float32", "float64": "Float64", "bfloat16": "UInt16", "float16": "UInt16"}


def julia_lines(found: Sequence[Case], dtype: str, edition: str) -> list[str]:
    """Return a Julia file that defines the cases as a vector of named tuples."""
    kinds = {"lr": "Float64[{}]", "t": "Int[{}]", "present": "Bool[{}]"}
    forms = kinds | {f"{name}_bound": "Float64[{}]" for name in STATE}
    return [
        f"# {says('julia', dtype, edition)}",
        "# One parameter through the steps of one vector. Arrays of all steps have one step after the other.",
        "const CASES = [",
        *(
            f"  ({record(case, dtype, '=', '[{}]', numbers=JULIA_TYPES[dtype] + '[{}]', forms=forms)}),"
            for case in found
        ),
        "]",
    ]


# Mojo --------------------------------------------------------------------------------------------

MOJO_TYPES = {"float32": "Float32", "float64": "Float64", "bfloat16": "UInt16", "float16": "UInt16"}


def mojo_lines(found: Sequence[Case], dtype: str, edition: str) -> list[str]:
    """Return a Mojo module with a function that returns the cases."""
    number = MOJO_TYPES[dtype]
    texts, counts = ("dialect", "id", "flags"), ("parameter", "steps", "size")
    fields = [
        *((name, "String") for name in texts), *((name, "Int") for name in counts),
        *((name, "Float64") for name in HYPER),
        ("lr", "List[Float64]"), ("t", "List[Int]"), ("present", "List[Bool]"),
        *((name, f"List[{number}]") for name in FIELDS),
        *((f"{name}_bound", "List[Float64]") for name in STATE),
    ]  # fmt: skip
    empty = {name: kind + "()" for name, kind in fields if kind.startswith("List")}
    return [
        f"# {says('mojo', dtype, edition)}",
        "# One parameter through the steps of one vector. Arrays of all steps have one step after the other.",
        "@fieldwise_init",
        "struct Case(Copyable, Movable):",
        *(f"    var {name}: {kind}" for name, kind in fields),
        "",
        "",
        "def cases() -> List[Case]:",
        "    var found = List[Case]()",
        *(
            f"    found.append(Case({record(case, dtype, '=', '[{}]', true='True', empty=empty)}))"
            for case in found
        ),
        "    return found^",
    ]


# What these languages share ----------------------------------------------------------------------


def record(
    case: Case,
    dtype: str,
    sign: str,
    array: str,
    *,
    numbers: str = "",
    true: str = "true",
    forms: dict[str, str] | None = None,
    empty: dict[str, str] | None = None,
) -> str:
    """Return the fields of a case, each as ``name sign value``, with commas between them.

    Args:
        case: the case.
        dtype: of its numbers.
        sign: what stands between a name and its value.
        array: how an array is written; ``{}`` stands for its items.
        numbers: the same of an array of numbers in the dtype, if it is another.
        true: the language's word for True; that for False has the same case.
        forms: the same for some fields by their names.
        empty: how an empty array is written, by the names of the fields.
    """
    false = "False" if true[0].isupper() else "false"

    def fields() -> Iterator[tuple[str, str]]:
        for name in ("dialect", "id", "flags"):
            yield name, json.dumps(getattr(case, name))
        for name in ("parameter", "steps", "size"):
            yield name, str(getattr(case, name))
        yield from zip(HYPER, map(repr, case.hyper), strict=True)
        yield "lr", filled("lr", [repr(x) for x in case.lr])
        yield "t", filled("t", [str(t) for t in case.t])
        yield "present", filled("present", [true if there else false for there in case.present])
        for name in FIELDS:
            yield name, filled(name, decimals(case.numbers.get(name, ""), dtype), numbers)
        for name in STATE:
            yield f"{name}_bound", filled(f"{name}_bound", [repr(b) for b in case.bounds.get(name, ())])

    def filled(name: str, items: Sequence[str], form: str = "") -> str:
        if not items and empty is not None:
            return empty[name]
        return (form or (forms or {}).get(name, array)).format(", ".join(items))

    return ", ".join(f"{name}{sign}{value}" for name, value in fields())


Writer = Callable[[Sequence[Case], str, str], list[str]]
#: For each language, the function that writes its lines.
WRITERS: dict[str, Writer] = {
    "C": c_lines,
    "rust": rust_lines,
    "javascript": javascript_lines,
    "julia": julia_lines,
    "mojo": mojo_lines,
}
