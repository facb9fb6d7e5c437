"""Changes around a step: of absent gradients, of what is restored, of groups, rates and starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from blind_frame import Array, Frame, Slot
from mutations import rounded


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
    Around("set_lr", rate_in_float16, "a new lr is in float16",
           "schedule hyperparameters mixed_precision coefficients"),
    *(Around("set_hyper", hyper_without(n), f"a new {n} is not taken", "schedule hyperparameters")
      for n in ("b1", "b2", "eps", "weight_decay")),
    *(Around("init_groups", groups_first(n), f"{n} of the first group for all", "groups")
      for n in ("lr", "b1", "b2", "eps", "weight_decay")),
    Around("init_groups", groups_all_first, "the first group's settings for all", "groups"),
    Around("init_groups", groups_last, "the last group's settings for all", "groups"),
    Around("set_state", state_without("t", lambda x: 0), "the clock is not restored", "state"),
    Around("set_state", state_without("t", lambda x: x + 1), "the clock is restored one ahead",
           "state clock"),
    Around("set_state", state_without("m", np.zeros_like), "m is not restored", "state"),
    Around("set_state", state_without("v", np.zeros_like), "v is not restored", "state"),
    Around("set_state", state_without("v", lambda x: rounded(x, "float16")), "v is saved in float16",
           "state"),
    Around("set_state", state_without("m", lambda x: rounded(x, "bfloat16")), "m is saved in bfloat16",
           "state"),
    Around("begin", begins_with(m=0.1), "m begins with 0.1", "moments"),
    Around("begin", begins_with(v=1.0), "v begins with 1", "moments epsilon amsgrad"),
    Around("begin", begins_with(v=1e-6), "v begins with 1e-6", "moments epsilon amsgrad"),
    Around("begin", begins_with(t=1), "the clock begins with 1", "clock bias_correction"),
    Around("begin", begins_with(t=100), "the clock begins with 100", "clock bias_correction"),
    Around("taken", takes(lambda g: g / max(g.size, 1)), "g over the number of elements",
           "clipping layout epsilon"),
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
