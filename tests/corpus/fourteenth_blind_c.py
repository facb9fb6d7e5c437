"""Blind, fourteenth set: a right Adam whose step is a program."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from register import right

#: What is computed, from which two registers, and into which one.
STEP: tuple[tuple[np.ufunc, str, str, str], ...] = (
    (np.multiply, "p", "weight_decay", "penalty"),
    (np.add, "g", "penalty", "g"),
    (np.multiply, "m", "b1", "m"),
    (np.multiply, "g", "w1", "share"),
    (np.add, "m", "share", "m"),
    (np.multiply, "g", "w2", "share"),
    (np.multiply, "share", "g", "share"),
    (np.multiply, "v", "b2", "v"),
    (np.add, "v", "share", "v"),
    (np.float_power, "v", "half", "below"),
    (np.divide, "below", "root2", "below"),
    (np.add, "below", "eps", "below"),
    (np.divide, "m", "below", "u"),
    (np.multiply, "u", "size", "u"),
    (np.subtract, "p", "u", "p"),
)


@right()
class FourteenthRegisters(Coupled):
    """torchopt's Adam: the step is a list of operations on registers, which a loop works off."""

    dialect = "torchopt.Adam"

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        registers: dict[str, Any] = {
            "p": s.p, "g": g, "m": s.m, "v": s.v, "weight_decay": s.h.weight_decay, "half": 0.5,
            "b1": s.h.b1, "w1": 1 - s.h.b1, "b2": s.h.b2, "w2": 1 - s.h.b2, "eps": s.h.eps,
            "root2": math.sqrt(c2), "size": s.h.lr / c1,
        }  # fmt: skip
        for operation, a, b, target in STEP:
            registers[target] = operation(registers[a], registers[b]).astype(s.p.dtype)
        s.p, s.m, s.v = registers["p"], registers["m"], registers["v"]
