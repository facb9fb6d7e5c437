"""Wrong Adams that a generator makes: Adam as the definition states it, broken in one place at random.

:data:`DIALECTS` has the text of a step in several dialects, each line with the part of the definition that it
stands for.  :func:`mutant` draws a dialect, a line and a change of one node of that line.  The label follows
from the line and from the kind of change, before anything is scored.
"""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from blind_frame import FIVE, Array, Frame, Slot
from fourth_blind_frame import Common, Keras, Optax, brained, lookahead
from register import Item

# The step as a text ------------------------------------------------------------------------------

Line = tuple[str, str]  #: the areas of a line, and its text

M = ("moments", "m = b1 * m + (1 - b1) * g")
V = ("moments", "v = b2 * v + ((1 - b2) * g) * g")
C1 = ("bias_correction", "c1 = 1 - b1 ** t")
C2 = ("bias_correction", "c2 = 1 - b2 ** t")
M_HAT = ("bias_correction", "m_hat = m / c1")
ROOT = ("bias_correction moments", "root = sqrt(v) / sqrt(c2)")
EPS = ("epsilon", "d = root + eps")
STEP = ("moments", "p = p - lr * (m_hat / d)")
DECAY = ("decay", "p = p - lr * wd * p")
L2 = ("decay", "g = g + wd * p")
TOP = ("amsgrad moments", "top = maximum(top, v)")


class Dialect(NamedTuple):
    """A dialect: the class that keeps the state, and the lines of a step."""

    frame: type[Frame]
    claim: str
    options: dict[str, str]
    lines: tuple[Line, ...]
    hyper: tuple[str, ...] = FIVE


def changed(*lines: Line, **others: Line) -> tuple[Line, ...]:
    """Return AdamW's lines with others in place of those that form the same name."""
    own = [line for line in (*lines,)]
    return tuple(others.get(text.split(" = ")[0], (areas, text)) for areas, text in own)


ADAMW = (M, V, C1, C2, M_HAT, ROOT, EPS, DECAY, STEP)
ADAM = (L2, M, V, C1, C2, M_HAT, ROOT, EPS, STEP)
AMSGRAD = (L2, M, V, TOP, C1, C2, M_HAT, changed(ROOT)[0], EPS, STEP)
HAT_ROOT = ("epsilon bias_correction moments", "root = (sqrt(v) + eps) / sqrt(c2)")
DIALECTS: tuple[Dialect, ...] = (
    Dialect(Frame, "torch.AdamW", {}, ADAMW),
    Dialect(Frame, "torch.AdamW", {}, ADAMW),
    Dialect(Frame, "torch.Adam", {}, ADAM),
    Dialect(Frame, "torch.Adam", {"amsgrad": "True"},
            (L2, M, V, TOP, C1, C2, M_HAT, ("bias_correction amsgrad moments", "root = sqrt(top) / sqrt(c2)"),
             EPS, STEP)),
    Dialect(Frame, "torch.AdamW", {"maximize": "True"}, (("maximize", "g = -g"), *ADAMW)),
    Dialect(Frame, "timm.NAdamW", {},
            (M, V, C1, C2, ("nesterov bias_correction", "m_hat = (b1 * m + (1 - b1) * g) / c1"), ROOT, EPS,
             DECAY, STEP)),
    Dialect(Frame, "torch.NAdam", {},
            (L2, M, V, C2, ("nesterov", "now = b1 * (1 - 0.5 * 0.96 ** (t * md))"),
             ("nesterov", "after = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * md))"), ("nesterov", "mu = mu * now"),
             ("nesterov bias_correction",
              "m_hat = after / (1 - mu * after) * m + (1 - now) / (1 - mu) * g"), ROOT, EPS, STEP),
            (*FIVE, "momentum_decay")),
    Dialect(Common, "apex.FusedAdam", {}, ADAMW),
    Dialect(Keras, "keras.AdamW", {},
            (M, V, C1, C2, M_HAT, HAT_ROOT, DECAY, ("moments", "p = p - lr * (m_hat / root)"))),
    Dialect(Optax, "optax.adamw", {},
            (M, V, C1, C2, M_HAT, ("bias_correction moments", "v_hat = v / c2"),
             ("epsilon", "d = sqrt(v_hat + eps_root) + eps"), DECAY, STEP), (*FIVE, "eps_root")),
    Dialect(Frame, "BertAdam", {},
            (M, V, ("epsilon moments", "d = sqrt(v) + eps"), DECAY, ("moments", "p = p - lr * (m / d)"))),
    Dialect(Frame, "paper.AdamW", {},
            (M, V, C1, C2, M_HAT, ROOT, EPS, ("decay", "p = p - wd * p"), STEP)),
)  # fmt: skip
"""Each dialect; the most frequent ones twice."""

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
           "top": "amsgrad", "md": "nesterov hyperparameters", "v_hat": "bias_correction", "m_hat": ""}  # fmt: skip


# What a changed step may call ----------------------------------------------------------------------


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


# Changes of one node -------------------------------------------------------------------------------


class Change(NamedTuple):
    """A changed node as a text, what was done, and the areas that it brings to its line's."""

    text: str
    about: str
    areas: str = ""
    instead: bool = False  #: whether the areas stand in the place of the line's


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
            yield Change(str(DEFAULTS[node.id]), f"{node.id} hard-coded", OF_NAME[node.id] + " hyperparameters")
            bits = rng.choice(("float32", "bfloat16", "float16"))
            yield Change(f"rounded({node.id}, {bits!r})", f"{node.id} in {bits}",
                         OF_NAME[node.id] + " hyperparameters coefficients mixed_precision")
            small = DEFAULTS[node.id] * 4 if node.id not in ("b1", "b2") else 0.95
            yield Change(f"min({node.id}, {small})", f"{node.id} at most {small}",
                         OF_NAME[node.id] + " hyperparameters")
        if node.id in ("c1", "c2", "now", "after", "mu"):
            bits = rng.choice(("float32", "bfloat16", "float16"))
            yield Change(f"rounded({node.id}, {bits!r})", f"{node.id} in {bits}", "coefficients mixed_precision")
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
        yield Change(f"maximum({text}, 0)", f"{text} where it is above 0", f"{area} clipping" if "p" in names(text) else area)
    yield Change(f"rounded({text}, {bits!r})", f"{text} in {bits}", "mixed_precision")
    yield Change(f"cut({text}, {most})", f"{text} cut to {most}", "clipping moments")
    yield Change(f"normed({text}, {most})", f"{text} cut to the norm {most}", "clipping")
    yield Change(f"mean_of({text})", f"the mean of {text}", "clipping layout moments")
    yield Change(f"sign({text})", f"the sign of {text} alone", area)
    yield Change(f"-({text})", f"{text} with the other sign", "maximize moments")
    yield Change(f"roll({text}, 1)", f"{text} of the element before", "layout")
    yield Change(f"({text}) * (abs({text}) > 1e-6)", f"{text}, 0 where it is small", "mixed_precision moments")
    if "v" in line[1]:
        yield Change(f"sqrt(abs({text}))", f"a root of {text}")


CONDITIONS = (
    ("t == 1", "in the first step alone", "clock schedule"), ("t > 1", "after the first step", "clock schedule"),
    ("t > {k}", "after step {k}", "clock schedule"), ("t % {j} == 0", "every {j}th step", "clock schedule"),
    ("len(s.shape) > 1", "in matrices", "layout"), ("len(s.shape) == 0", "in 0-d arrays", "layout"),
    ("p.size > {n}", "in arrays of more than {n}", "layout"), ("s.index > 0", "in all arrays but the first", "layout"),
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


# Changes of the lines, and of what is around them ----------------------------------------------------


def moved_lines(lines: tuple[Line, ...], rng: random.Random) -> tuple[tuple[Line, ...], str, str] | None:
    """Return the lines with one left out, made twice, or in another place."""
    k = rng.randrange(len(lines))
    areas, text = lines[k]
    name, _, value = text.partition(" = ")
    keeps = name in ("g", "m", "v", "p", "top", "mu")
    way = rng.choice(("lost", "twice", "late"))
    if way == "lost" and keeps:
        return (*lines[:k], *lines[k + 1 :]), f"without {text}", areas
    if way == "twice" and keeps and name != "top":
        same = "hyperparameters" if name == "v" else ""  # its b2 is squared, and all else is right
        return (*lines[: k + 1], lines[k], *lines[k + 1 :]), f"{text} twice", f"{areas} {same}"
    if way == "late" and keeps and k + 1 < len(lines):
        j = len(lines) if name in ("m", "v", "top") else rng.randrange(k + 2, len(lines) + 1)
        return (*lines[:k], *lines[k + 1 : j], lines[k], *lines[j:]), f"{text} after {lines[j - 1][1]}", areas
    return None


class Around(NamedTuple):
    """A change around a step: a method of the frame in other words."""

    name: str
    made: Callable[..., Any]
    about: str
    areas: str


def absent_as_zero(self: Any, s: Slot) -> None:
    self.tick(s)
    self.update(s, np.zeros_like(s.p))


def absent_ticks(self: Any, s: Slot) -> None:
    s.t += 1


def absent_decays(self: Any, s: Slot) -> None:
    s.p = s.p - s.h.lr * s.h.weight_decay * s.p


def absent_fades(self: Any, s: Slot) -> None:
    s.m = s.h.b1 * s.m


def absent_fades_both(self: Any, s: Slot) -> None:
    s.m, s.v = s.h.b1 * s.m, s.h.b2 * s.v


def absent_forgets(self: Any, s: Slot) -> None:
    s.m, s.v, s.t = np.zeros_like(s.m), np.zeros_like(s.v), 0


def absent_forgets_first(self: Any, s: Slot) -> None:
    s.m = np.zeros_like(s.m)


def absent_moves(self: Any, s: Slot) -> None:
    if s.t:
        c1, c2 = 1 - s.h.b1**s.t, 1 - s.h.b2**s.t
        s.p = s.p - s.h.lr * (s.m / c1) / (np.sqrt(s.v / c2) + s.h.eps)


def all_stop(self: Any, grads: Any) -> None:
    if all(g is not None for g in grads):
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            self.update(s, self.taken(g))


def all_until(self: Any, grads: Any) -> None:
    for s, g in zip(self.slots, grads, strict=True):
        if g is None:
            break
        self.tick(s)
        self.update(s, self.taken(g))


def all_shifted(self: Any, grads: Any) -> None:
    there = [g for g in grads if g is not None]
    for s, g in zip(self.slots, there, strict=False):
        if np.size(g) == s.p.size:
            self.tick(s)
            self.update(s, self.taken(g))


def tick_all(self: Any, s: Slot) -> None:
    for other in self.slots:
        other.t += 1


def rate_first(self: Any, lr: float) -> None:
    self.slots[0].h.lr = lr


def rate_kept(self: Any, lr: float) -> None:
    pass


def rate_highest(self: Any, lr: float) -> None:
    for s in self.slots:
        s.h.lr = max(s.h.lr, lr)


def rate_not_zero(self: Any, lr: float) -> None:
    for s in self.slots:
        s.h.lr = lr or s.h.lr


def rate_starts_anew(self: Any, lr: float) -> None:
    for s in self.slots:
        s.h.lr, s.t = lr, 0


def rate_forgets(self: Any, lr: float) -> None:
    for s in self.slots:
        s.h.lr, s.m = lr, np.zeros_like(s.m)


def rate_in_float16(self: Any, lr: float) -> None:
    for s in self.slots:
        s.h.lr = rounded(lr, "float16")


def hyper_without(name: str) -> Callable[..., Any]:
    def set_hyper(self: Any, hyper: dict[str, float]) -> None:
        for s in self.slots:
            s.h.read({k: v for k, v in hyper.items() if k != name or k == "lr"})

    return set_hyper


def groups_first(name: str) -> Callable[..., Any]:
    def init_groups(self: Any, params: Any, hypers: Any) -> None:
        Frame.init_groups(self, params, [{**h, name: hypers[0][name]} if name in h else h for h in hypers])

    return init_groups


def groups_all_first(self: Any, params: Any, hypers: Any) -> None:
    Frame.init_groups(self, params, [hypers[0]] * len(hypers))


def groups_last(self: Any, params: Any, hypers: Any) -> None:
    Frame.init_groups(self, params, [hypers[-1]] * len(hypers))


def state_without(name: str, value: Callable[[Any], Any]) -> Callable[..., Any]:
    def set_state(self: Any, state: dict[str, Any]) -> None:
        Frame.set_state(self, {k: [value(x) for x in v] if k == name else v for k, v in state.items()})

    return set_state


def begins_with(**values: float) -> Callable[..., Any]:
    def begin(self: Any) -> None:
        for s in self.slots:
            for name, value in values.items():
                old = getattr(s, name)
                setattr(s, name, np.full_like(old, value) if isinstance(old, np.ndarray) else int(value))

    return begin


def begins_shared(self: Any) -> None:
    """Give equal shapes one memory of moments."""
    known: dict[Any, Slot] = {}
    for s in self.slots:
        first = known.setdefault((s.shape, s.dtype.str), s)
        s.m, s.v = first.m, first.v


def takes(of: Callable[[Array], Array]) -> Callable[..., Any]:
    def taken(self: Any, g: Array) -> Array:
        return of(np.asarray(Frame.taken(self, g)))

    return taken


AROUND = (
    Around("missed", absent_as_zero, "an absent gradient is one of 0", "missing"),
    Around("missed", absent_ticks, "the clock ticks without a gradient", "missing clock"),
    Around("missed", absent_decays, "decay without a gradient", "missing decay"),
    Around("missed", absent_fades, "m fades without a gradient", "missing"),
    Around("missed", absent_fades_both, "m and v fade without a gradient", "missing"),
    Around("missed", absent_forgets, "all is forgotten without a gradient", "missing state"),
    Around("missed", absent_forgets_first, "m is forgotten without a gradient", "missing state"),
    Around("missed", absent_moves, "a step by the last m without a gradient", "missing"),
    Around("all", all_stop, "one absent gradient stops all", "missing"),
    Around("all", all_until, "an absent gradient ends the step", "missing"),
    Around("all", all_shifted, "gradients go to the wrong parameters after an absent one", "missing"),
    Around("tick", tick_all, "each parameter ticks for all", "clock"),
    Around("set_lr", rate_first, "a new lr reaches the first parameter alone", "schedule"),
    Around("set_lr", rate_kept, "a new lr is not taken", "schedule hyperparameters"),
    Around("set_lr", rate_highest, "lr never goes down", "schedule hyperparameters"),
    Around("set_lr", rate_not_zero, "an lr of 0 is not taken", "schedule hyperparameters"),
    Around("set_lr", rate_starts_anew, "a new lr sets the clock to 0", "schedule clock"),
    Around("set_lr", rate_forgets, "a new lr sets m to 0", "schedule moments state"),
    Around("set_lr", rate_in_float16, "a new lr is in float16", "schedule hyperparameters mixed_precision coefficients"),
    *(Around("set_hyper", hyper_without(n), f"a new {n} is not taken", "schedule hyperparameters")
      for n in ("b1", "b2", "eps", "weight_decay")),
    *(Around("init_groups", groups_first(n), f"{n} of the first group for all", "groups")
      for n in ("lr", "b1", "b2", "eps", "weight_decay")),
    Around("init_groups", groups_all_first, "the first group's settings for all", "groups"),
    Around("init_groups", groups_last, "the last group's settings for all", "groups"),
    Around("set_state", state_without("t", lambda x: 0), "the clock is not restored", "state"),
    Around("set_state", state_without("t", lambda x: x + 1), "the clock is restored one ahead", "state clock"),
    Around("set_state", state_without("m", np.zeros_like), "m is not restored", "state"),
    Around("set_state", state_without("v", np.zeros_like), "v is not restored", "state"),
    Around("set_state", state_without("v", lambda x: rounded(x, "float16")), "v is saved in float16", "state"),
    Around("set_state", state_without("m", lambda x: rounded(x, "bfloat16")), "m is saved in bfloat16", "state"),
    Around("begin", begins_with(m=0.1), "m begins with 0.1", "moments"),
    Around("begin", begins_with(v=1.0), "v begins with 1", "moments epsilon amsgrad"),
    Around("begin", begins_with(v=1e-6), "v begins with 1e-6", "moments epsilon amsgrad"),
    Around("begin", begins_with(t=1), "the clock begins with 1", "clock bias_correction"),
    Around("begin", begins_with(t=100), "the clock begins with 100", "clock bias_correction"),
    Around("taken", takes(lambda g: g / max(g.size, 1)), "g over the number of elements", "clipping layout"),
    Around("taken", takes(lambda g: g - np.mean(g) if g.size else g), "g less its mean", "clipping layout"),
    Around("taken", takes(lambda g: np.nan_to_num(g)), "g with numbers for NaN", "nonfinite"),
    Around("taken", takes(lambda g: np.where(np.isfinite(g), g, 0)), "g with 0 for NaN", "nonfinite"),
    Around("taken", takes(lambda g: g if np.isfinite(g).all() else np.zeros_like(g)),
           "an array with NaN has a gradient of 0", "nonfinite"),
    Around("taken", takes(lambda g: np.where(np.abs(g) < 1e-6, 0, g)), "small gradients are 0",
           "mixed_precision zero_gradient clipping moments"),
    Around("taken", takes(lambda g: g * 1.01), "g times 1.01", "moments clipping epsilon"),
    Around("taken", takes(lambda g: g + 1e-8), "g and 1e-8", "moments clipping epsilon"),
    Around("taken", takes(lambda g: g / (np.linalg.norm(g) + 1e-12) if g.size else g), "g over its norm",
           "clipping"),
    Around("taken", takes(np.tanh), "tanh of g", "clipping moments"),
    Around("taken", takes(np.sort), "g in order of size", "layout"),
)  # fmt: skip


# A mutant ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One wrong Adam: its class, what it does, and its label."""

    made: type[Frame]
    claim: str
    options: dict[str, str]
    about: str
    areas: tuple[str, ...]

    @property
    def item(self) -> Item:
        return Item(self.made, "wrong", "mutants.py", self.about, self.areas, "STEP.1", claim=self.claim,
                    options=self.options)  # fmt: skip


def stepping(lines: tuple[Line, ...], name: str) -> type:
    """Return a class with the step of these lines."""
    known = [f"{x} = s.{x}" for x in ("p", "m", "v", "top", "t", "mu")]
    known += [f"{x} = s.h.{x}" for x in ("lr", "b1", "b2", "eps", "eps_root")]
    known += ["wd = s.h.weight_decay", "md = s.h.momentum_decay"]
    first = "last = s.extra.setdefault('last', dict(g=0 * g, m=m, v=v, p=p, lr=lr, b1=b1, wd=wd, eps=eps))"
    before = "s.extra['last'] = dict(g=g.copy(), m=m, v=v, p=p, lr=lr, b1=b1, wd=wd, eps=eps)"
    after = [f"s.{x} = asarray({x}, s.p.dtype)" for x in ("m", "v", "top")] + ["s.mu = mu"]
    after += ["s.p = asarray(p, s.p.dtype)"]
    rows = [*known, first, before, *(text for _, text in lines), *after]
    space = {**CALLS, "asarray": np.asarray, "dict": dict, "min": min, "max": max, "len": len}
    exec("def update(self, s, g):\n" + "".join(f"    {row}\n" for row in rows), space)
    return space["update"]  # type: ignore[no-any-return]


def mutant(seed: int) -> Mutant:
    """Return the mutant of a seed."""
    rng = random.Random(seed)
    while True:
        found = drawn(rng, f"Mutant{seed}")
        if found is not None:
            return found


def drawn(rng: random.Random, name: str) -> Mutant | None:
    dialect = rng.choice(DIALECTS)
    lines, members, about, areas = dialect.lines, {}, "", ""
    kind = rng.choice(("node",) * 7 + ("lines", "around", "around"))
    if kind == "node":
        k = rng.randrange(len(lines))
        tree = ast.parse(lines[k][1])
        statement = tree.body[0]
        assert isinstance(statement, ast.Assign)
        nodes = [x for x in ast.walk(statement.value) if isinstance(x, ast.expr)]
        node = rng.choice(nodes)
        if isinstance(node, ast.Name) and node.id in CALLS:
            return None
        options = list(changes(node, lines[k], rng))
        if not options:
            return None
        change = rng.choice(options)
        text = replaced(lines[k][1], node, change.text)
        looks = "nesterov" if "moments" in lines[k][0] and "nesterov" in str(lines) and lines[k][1][0] == "m" else ""
        areas = change.areas if change.instead else f"{lines[k][0]} {change.areas} {looks}"
        lines = (*lines[:k], (lines[k][0], text), *lines[k + 1 :])
        about = f"{change.about}: {text}"
    elif kind == "lines":
        other = moved_lines(lines, rng)
        if other is None:
            return None
        lines, about, areas = other
        areas += " nesterov" if "nesterov" in str(lines) and about.startswith("m = ") else ""
    else:
        around = rng.choice(AROUND)
        if around.name in ("all", "missed", "tick") and dialect.frame is not Frame:
            return None
        members[around.name], about, areas = around.made, around.about, around.areas
    update = stepping(lines, name)
    made = type(name, (dialect.frame,), {
        "update": update, "hyper": dialect.hyper, "options": dialect.options, "dialect": dialect.claim,
        "complex": dialect.frame.complex, "__doc__": about, "__module__": __name__, **members})  # fmt: skip
    words = tuple(dict.fromkeys(areas.split()))
    return Mutant(made, dialect.claim, dialect.options, f"{about} [{dialect.claim} {dialect.options or ''}]", words)


def replaced(line: str, node: ast.expr, text: str) -> str:
    """Return a line with one of its nodes replaced by a text."""
    assert node.end_col_offset is not None
    return f"{line[: node.col_offset]}({text}){line[node.end_col_offset :]}"


_ = (Callable, lookahead)
