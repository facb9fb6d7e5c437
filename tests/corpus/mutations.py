"""Changes of one node of a line: another operand, function, constant, condition or format."""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from blind_frame import Array
from fourth_blind_frame import brained
from steptexts import Line, V

ARRAYS = ("g", "m", "v", "p", "top", "m_hat", "root", "d", "v_hat")
SCALARS = ("lr", "b1", "b2", "eps", "wd", "eps_root", "md", "c1", "c2", "t", "mu", "now", "after")
HYPER = ("lr", "b1", "b2", "eps", "wd", "eps_root", "md")
DEFAULTS = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "wd": 0.01, "eps_root": 0.0, "md": 4e-3}
WRONG_NAMES = {"g": ("m", "p"), "m": ("g", "v"), "v": ("m", "g"), "p": ("g", "m"), "b1": ("b2",),
               "b2": ("b1",), "c1": ("c2",), "c2": ("c1",), "top": ("v",), "m_hat": ("g", "m"),
               "lr": ("eps", "wd"), "eps": ("lr", "wd"), "wd": ("eps", "lr"), "now": ("after", "b1"),
               "after": ("now", "b1"), "v_hat": ("v",), "root": ("v",), "mu": ("now",)}  # fmt: skip
OF_NAME = {"lr": "hyperparameters schedule", "b1": "hyperparameters", "b2": "hyperparameters",
           "eps": "epsilon hyperparameters", "wd": "decay hyperparameters", "eps_root": "epsilon",
           "c1": "bias_correction", "c2": "bias_correction", "t": "clock bias_correction",
           "top": "amsgrad", "md": "nesterov hyperparameters", "v_hat": "bias_correction",
           "v": "moments", "root": "moments"}  # fmt: skip


def rounded(x: Any, bits: str) -> Any:
    """Return a number or an array after a cast to a shorter format and back."""
    if np.ndim(x) == 0:
        one = np.array([x], dtype=np.float64)
        return float(rounded(one, bits)[0])
    with np.errstate(all="ignore"):
        return brained(x) if bits == "bfloat16" else np.asarray(x).astype(bits).astype(np.asarray(x).dtype)


def mean_of(x: Array) -> Array:
    return np.full_like(x, np.mean(x)) if np.size(x) else x


def normed(x: Array, most: float) -> Array:
    size = float(np.linalg.norm(x)) if np.size(x) else 0.0
    return x * (most / size) if size > most else x


def cut(x: Any, most: float) -> Any:
    return np.clip(x, -most, most)


CALLS: dict[str, Any] = {
    "sqrt": lambda x: math.sqrt(x) if isinstance(x, float) and x >= 0 else np.sqrt(x), "maximum": np.maximum,
    "minimum": np.minimum, "abs": np.abs, "sign": np.sign, "rounded": rounded, "mean_of": mean_of,
    "normed": normed, "cut": cut, "where": np.where, "roll": np.roll,
}  # fmt: skip


class Change(NamedTuple):
    """A changed node as a text, what was done, and the areas that it brings to its line's."""

    text: str
    about: str
    areas: str = ""


def names(text: str) -> list[str]:
    return [x.id for x in ast.walk(ast.parse(text)) if isinstance(x, ast.Name)]


def is_array(node: ast.expr) -> bool:
    return any(isinstance(x, ast.Name) and x.id in ARRAYS for x in ast.walk(node))


def changes(node: ast.expr, line: Line, rng: random.Random) -> Iterator[Change]:
    """Yield changes of one node of a line."""
    text, target = ast.unparse(node), line[1].split(" = ")[0]
    if isinstance(node, ast.BinOp):
        left, right = ast.unparse(node.left), ast.unparse(node.right)
        yield Change(left, f"{text} without {right}", of_names(node.right))
        if isinstance(node.op, (ast.Add, ast.Mult)):
            yield Change(right, f"{text} without {left}", of_names(node.left))
        if isinstance(node.op, ast.Mult):
            yield Change(f"({text}) * {right}", f"a factor {right} too many", of_names(node.right))
        if isinstance(node.op, ast.Div):
            yield Change(f"({text}) / {right}", f"divided by {right} twice", of_names(node.right))
        if isinstance(node.op, (ast.Add, ast.Sub)):
            other = "-" if isinstance(node.op, ast.Add) else "+"
            ways = "maximize" if target == "p" and "m" in right else ""
            yield Change(f"({left} {other} {right})", f"{other} in {text}", f"{of_names(node.right)} {ways}")
    if isinstance(node, ast.Name):
        for other in WRONG_NAMES.get(node.id, ()):
            if other in SCALARS or other in FORMED.get(target, ARRAYS):
                area = "moments" if other in ARRAYS else OF_NAME.get(other, "")
                yield Change(other, f"{other} for {node.id}", f"{OF_NAME.get(node.id, '')} {area}")
        if node.id in HYPER:
            yield Change(
                str(DEFAULTS[node.id]), f"{node.id} hard-coded", OF_NAME[node.id] + " hyperparameters"
            )
            bits = rng.choice(("float32", "bfloat16", "float16"))
            yield Change(
                f"rounded({node.id}, {bits!r})",
                f"{node.id} in {bits}",
                OF_NAME[node.id] + " hyperparameters coefficients mixed_precision",
            )
            small = DEFAULTS[node.id] * 4 if node.id not in ("b1", "b2") else 0.95
            yield Change(
                f"min({node.id}, {small})",
                f"{node.id} at most {small}",
                OF_NAME[node.id] + " hyperparameters",
            )
        if node.id in ("c1", "c2", "now", "after", "mu"):
            bits = rng.choice(("float32", "bfloat16", "float16"))
            yield Change(
                f"rounded({node.id}, {bits!r})", f"{node.id} in {bits}", "coefficients mixed_precision"
            )
        if node.id == "t":
            yield from clocks(rng)
        if node.id in ("lr", "g", "m", "v", "p", "b1", "wd", "eps"):
            area = "moments" if node.id in ARRAYS else "schedule hyperparameters"
            yield Change(f"last[{node.id!r}]", f"{node.id} of the step before", area)
    if is_array(node):
        yield from of_arrays(text, rng, line)
    if isinstance(node, ast.Constant) and node.value == 1:
        yield Change("0", "0 for 1")
        yield Change("2", "2 for 1")
    yield from under_conditions(node, text, rng)


def clocks(rng: random.Random) -> Iterator[Change]:
    k = rng.choice((5, 10, 100, 1000))
    area = "clock bias_correction"
    yield Change("(t - 1)", "the clock one behind", area)
    yield Change("(t + 1)", "the clock one ahead", area)
    yield Change(f"min(t, {k})", f"the clock ends at {k}", area)
    yield Change(f"(t - 1) % {k} + 1", f"the clock begins again after {k}", area)
    yield Change("(2 * t)", "the clock counts twice", area)
    yield Change("(t + 1) // 2", "the clock counts every other step", area)
    yield Change("max(t, 2)", "the clock begins with 2 twice", area)
    yield Change("1", "the clock is 1", area)
    yield Change("(s.index + t)", "the clock depends on the place", area + " layout isolation")
    yield Change("rounded(t, 'bfloat16')", "the clock in bfloat16", area + " mixed_precision coefficients")


def of_arrays(text: str, rng: random.Random, line: Line) -> Iterator[Change]:
    bits = rng.choice(("float32", "float16", "bfloat16"))
    most = rng.choice((0.25, 1.0, 10.0, 1000.0))
    area = "moments"  # what a later line has of them
    if not set(names(text)) & {"g", "m", "m_hat", "p"} or line == V:  # else it is 0 or more
        yield Change(f"2 * {text}", f"twice {text}", area)
    else:
        yield Change(f"abs({text})", f"the size of {text} alone", area)
        yield Change(
            f"maximum({text}, 0)",
            f"{text} where it is above 0",
            f"{area} clipping" if "p" in names(text) else area,
        )
    yield Change(f"rounded({text}, {bits!r})", f"{text} in {bits}", "mixed_precision")
    yield Change(f"cut({text}, {most})", f"{text} cut to {most}", "clipping moments")
    yield Change(f"normed({text}, {most})", f"{text} cut to the norm {most}", "clipping")
    yield Change(f"mean_of({text})", f"the mean of {text}", "clipping layout moments")
    yield Change(f"sign({text})", f"the sign of {text} alone", area)
    yield Change(f"-({text})", f"{text} with the other sign", "maximize moments")
    yield Change(f"roll({text}, 1)", f"{text} of the element before", "layout")
    yield Change(
        f"({text}) * (abs({text}) > 1e-6)", f"{text}, 0 where it is small", "mixed_precision moments"
    )
    if "v" in line[1]:
        yield Change(f"sqrt(abs({text}))", f"a root of {text}")


CONDITIONS = (
    ("t == 1", "in the first step alone", "clock schedule"),
    ("t > 1", "after the first step", "clock schedule"),
    ("t > {k}", "after step {k}", "clock schedule"), ("t % {j} == 0", "every {j}th step", "clock schedule"),
    ("len(s.shape) > 1", "in matrices", "layout"), ("len(s.shape) == 0", "in 0-d arrays", "layout"),
    ("p.size > {n}", "in arrays of more than {n}", "layout"),
    ("s.index > 0", "in all arrays but the first", "layout"),
    ("p.dtype == 'float32'", "in float32 alone", "mixed_precision"),
    ("lr != last['lr']", "in steps with a new lr", "schedule"),
)  # fmt: skip


def under_conditions(node: ast.expr, text: str, rng: random.Random) -> Iterator[Change]:
    """Yield a wrong value of a node that stands there under a condition."""
    if isinstance(node, ast.Name) and node.id in ("g", "m", "v", "wd", "eps", "c1", "c2", "lr", "b1", "b2"):
        wrong = {"wd": "0", "c1": "1", "c2": "1", "eps": "0"}.get(node.id, f"(0.5 * {text})")
        known = CONDITIONS[1:] if node.id in ("b1", "b2", "m", "v") else CONDITIONS  # which are 0 at first
        for test, about, areas in rng.sample(known, 4):
            k, j, n = rng.choice((5, 30, 100)), rng.choice((2, 4)), rng.choice((3, 16, 100))
            test, about = (x.format(k=k, j=j, n=n) for x in (test, about))
            yield Change(f"({wrong} if {test} else {text})", f"{text} is {wrong} {about}",
                         f"{areas} {OF_NAME.get(node.id, '')}")  # fmt: skip


def of_names(node: ast.expr) -> str:
    """Return the areas of the hyperparameters in a node."""
    return " ".join(OF_NAME.get(x.id, "") for x in ast.walk(node) if isinstance(x, ast.Name))


FORMED = {"g": ("g", "m", "v", "p"), "m": ("g", "m", "v", "p"), "v": ("g", "m", "v", "p"),
          "top": ("g", "m", "v", "p", "top"), "m_hat": ("g", "m", "v", "p", "top"),
          "root": ("g", "m", "v", "p", "top", "m_hat"), "v_hat": ("g", "m", "v", "p", "m_hat"),
          "d": ("g", "m", "v", "p", "root", "m_hat")}  # fmt: skip
"""For the name that a line forms, the arrays that are known there."""
