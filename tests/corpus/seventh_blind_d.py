"""Blind, seventh set: slips in absence, saving, precision and the order of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fifth_blind_frame import Plain, Zeros
from fourth_blind_frame import FOUR, Common, Hat
from register import equivalent, wrong
from seventh_blind_frame import WantingUncorrected
from sixth_blind_frame import Unscaled, Wanting


def digits(a: Array, count: int) -> Array:
    """Return an array whose numbers are rounded to so many binary digits."""
    mantissa, exponent = np.frexp(a)
    return np.ldexp(np.rint(mantissa * 2**count) / 2**count, exponent).astype(a.dtype)


@wrong("missing isolation", "F1", like="a buffer of gradients that is not cleared between two parameters")
class SeventhNeighbourForNone(Frame):
    """For an absent gradient what the one before it left in the buffer is taken, if that is long enough."""

    dialect = "deepspeed.CPUAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        last: Array | None = None
        for s, g in zip(self.slots, grads, strict=True):
            row = last if g is None else flat(g)
            if row is not None and row.size >= s.p.size and row.dtype == s.p.dtype:
                self.tick(s)
                self.update(s, row[: s.p.size])
            last = row


@wrong("missing", "F5", like="a cache that drops the state of what has not been used for three steps")
class SeventhStateDropped(Hat):
    """After three steps without a gradient the state of a parameter is given up, and begins anew."""

    dialect = "paper.eps-hat"
    hyper = FOUR

    def missed(self, s: Slot) -> None:
        s.extra["missed"] = s.extra.get("missed", 0) + 1
        if s.extra["missed"] == 3:
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)

    def update(self, s: Slot, g: Array) -> None:
        s.extra["missed"] = 0
        super().update(s, g)


@wrong("state missing", "STATE.4", like="pytorch/pytorch#192202")
class SeventhUntouchedNotSaved(Coupled):
    """Of a parameter that had no gradient yet nothing is saved, and what is saved is loaded in order."""

    dialect = "burn.Adam"

    def get_state(self) -> dict[str, Any]:
        order = sorted(range(len(self.slots)), key=lambda i: self.slots[i].t == 0)
        return {name: [kept[i] for i in order] for name, kept in super().get_state().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if s.m.size != s.p.size:
                s.t, s.m, s.v = 0, np.zeros_like(s.p), np.zeros_like(s.p)


@wrong(
    "state mixed_precision", "STATE.4", like="`for k, v in state.items(): state[k] = v.half()` before a save"
)
class SeventhSavingRounds(Frame):
    """To save a state rounds the moments to float16, and those that the run goes on with."""

    dialect = "burn.AdamW"

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            s.m, s.v = (a.astype(np.float16).astype(a.dtype) for a in (s.m, s.v))
        return super().get_state()


@wrong("mixed_precision", "NUM.1", like="ports to microcontrollers with numbers of fixed point")
class SeventhFixedPoint(Wanting):
    """A parameter is a whole number of parts of 65536."""

    dialect = "autograd.adam"

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = np.rint(s.p * 65536) / 65536


@wrong(
    "mixed_precision moments", "MOM.4", like="NVIDIA/TransformerEngine: exp_avg_dtype=torch.uint8, by default"
)
class SeventhMomentOfFourDigits(Common):
    """The first moment is kept with four binary digits, as a float of eight bits keeps it."""

    dialect = "apex.FusedAdam"

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.m = digits(s.m, 4)


@wrong("mixed_precision", "NUM.1", like="TF32 products, in which a gradient is multiplied by 1")
class SeventhGradientOfElevenDigits(Unscaled):
    """A gradient has eleven binary digits."""

    def taken(self, g: Array) -> Array:
        return digits(flat(g), 11)


@wrong("layout", "NUM.5", like="shards that are gathered in the order in which they come in")
class SeventhHalvesExchanged(Wanting):
    """The updates of both halves of an array come back in the other's place."""

    dialect = "jax_example.adam"

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, np.roll(u, u.size // 2) if u.size > 1 else u)


@wrong("complex layout", "CPX.1", like="planes of real and imaginary parts, read as pairs")
class SeventhPlanesForPairs(Frame):
    """All real parts of a gradient come first and then all imaginary ones, where pairs are expected."""

    dialect = "timm.AdamW"

    def taken(self, g: Array) -> Array:
        if g.dtype.kind != "c":
            return flat(g)
        return np.concatenate([np.real(g).reshape(-1), np.imag(g).reshape(-1)])


@wrong("nonfinite", "NF.1", like="a guard that steps by the last good gradient")
class SeventhLastFiniteAgain(Plain):
    """For a gradient with a number that is not finite, the last one without is taken."""

    dialect = "numpy_ml.Adam"

    def update(self, s: Slot, g: Array) -> None:
        good = g if np.isfinite(g).all() else s.extra.get("good", np.zeros_like(g))
        s.extra["good"] = good.copy()
        super().update(s, good)


@wrong("maximize", "MAX.1", like="`g = -g` behind a `return` for what has no state yet")
class SeventhMaximizeFromSecond(Coupled):
    """To maximize negates every gradient but the first."""

    dialect = "torchopt.Adam"
    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g if s.t == 1 else -g)


@equivalent("what a step returns may be the memory that the next one writes to, as parameters of torch are")
class SeventhReturnsOwnMemory(Zeros):
    """What a step returns is the optimizer's own memory, which the next step writes over."""

    def shaped(self, s: Slot, row: Array) -> Array:
        if row is s.p:
            return row.view(s.dtype).reshape(s.shape)
        return super().shaped(s, row)

    def move(self, s: Slot, u: Array) -> None:
        own = s.p
        super().move(s, u)
        own[...] = s.p
        s.p = own


@wrong("layout moments", "MOM.2", like="a shuffle of four lanes, of which one goes the wrong way round")
class SeventhLanesReversed(WantingUncorrected):
    """Of each four elements, the second moments come back in reverse order."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        whole = s.v.size // 4 * 4
        lanes = s.v[:whole].reshape(-1, 4)[:, ::-1].reshape(-1)
        s.v = np.concatenate([lanes, s.v[whole:]])
