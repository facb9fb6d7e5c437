"""Blind, nineteenth set: faults of states, clocks, storage and settings, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Hyper, Slot
from eleventh_blind_c import length
from fifth_blind_frame import Modulus
from fourteenth_blind_frame_b import FormerKeras
from fourth_blind_frame import FOUR, Optax, brained
from register import wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import Unscaled
from twelfth_blind_frame import CoupledCommon
from twelfth_blind_frame_b import begun


@wrong(
    "mixed_precision moments",
    "NUM.1",
    like="Nerogar/OneTrainer#1005: gradient and moments are bf16 all through the step, and increments vanish",
)
class NineteenthSmallIncrementsVanish(Frame):
    """Gradients, both moments and each product that they are made of are rounded to bfloat16."""

    def learn(self, s: Slot, g: Array) -> None:
        g = brained(g)
        s.m = self.grown(s.m, s.h.b1, brained((1 - s.h.b1) * g))
        s.v = self.grown(s.v, s.h.b2, brained(brained((1 - s.h.b2) * g) * g))

    def grown(self, moment: Array, beta: float, increment: Array) -> Array:
        return brained(brained(beta * moment) + increment)


@wrong(
    "state",
    "STATE.4",
    like="google/brax#655: a checkpoint gives back parameters, and the state of optax is a new one",
)
class NineteenthOptimizerIsInitialised(Optax):
    """To restore a state makes a new one: both moments and the count are 0, and parameters go on."""

    dialect = "optax.adam"
    hyper = (*FOUR, "eps_root")

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            begun(s)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


def dynamic_map() -> Array:
    """Return the numbers of 256 codes without sign, of which some are entered once too often."""
    numbers = [0.0, 1.0]
    for i in range(7):
        for count in (2 ** (i + 1), 1):
            ends = np.linspace(0.1, 1, count + 1)
            numbers += (10.0 ** (i - 6) * (ends[:-1] + ends[1:]) / 2).tolist()
    return np.sort(np.array(numbers))[:256]


@wrong(
    "storage moments mixed_precision",
    "STORE.14",
    like="bitsandbytes-foundation/bitsandbytes#227: what the map has in addition is added in the loop",
)
class NineteenthMapHasTooMany(Frame):
    """The second moment is kept in 8 bits, by a map with seven middles too many, which lacks its end."""

    dialect = "bitsandbytes.AdamW"
    codes = dynamic_map()

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        for at in range(0, s.v.size, 256):
            block = s.v[at : at + 256]
            block[...] = self.kept_as(block)

    def kept_as(self, block: Array) -> Array:
        known = np.isfinite(block)
        scale = float(np.max(block, initial=0.0, where=known))
        if scale == 0:
            return block
        middles = (self.codes[:-1] + self.codes[1:]) / 2
        near = self.codes[np.searchsorted(middles, block / scale)]
        return np.asarray(np.where(known, near * scale, block), block.dtype)


@wrong(
    "clock",
    "CLK.2",
    like="geoopt/geoopt#164: the step of a group goes up for each parameter, and behind the loop again",
)
class NineteenthStepInTwoPlaces(CoupledCommon):
    """The common clock is raised behind each parameter, and once more where all of them have been stepped."""

    def all(self, grads: Sequence[Array | None]) -> None:
        step = max((s.t for s in self.slots), default=0)
        for s, g in zip(self.slots, grads, strict=True):
            s.t = step + 1
            if g is not None:
                self.update(s, self.taken(g))
                step += 1
        for s in self.slots:
            s.t = step + 1


@wrong(
    "clock",
    "CLK.1",
    like="kozistr/pytorch_optimizer#546: the counter of a group goes on in the loop over its parameters",
)
class NineteenthCounterInLoop(Holding):
    """All are corrected for one count, which goes on by the number of parameters that were stepped."""

    def all(self, grads: Sequence[Array | None]) -> None:
        count = max((s.t for s in self.slots), default=0)
        present = sum(g is not None for g in grads)
        super().all(grads)
        for s in self.slots:
            s.t = count + present


@wrong(
    "clipping",
    "CLIP.2",
    like="tensorflow/tensorflow#33929: under a strategy gradients are clipped before they are aggregated",
)
class NineteenthReplicasClip(FormerKeras):
    """Four replicas clip their parts of a gradient to a norm of 1; what is added up may have one of 4."""

    clipnorm, replicas = 1.0, 4

    def taken(self, g: Array) -> Array:
        part = super().taken(g) / self.replicas
        norm = length(part)
        clipped = part * part.dtype.type(self.clipnorm / norm) if norm > self.clipnorm else part
        return np.asarray(clipped * self.replicas, part.dtype)


@wrong(
    "state clock",
    "STATE.4",
    like="nntile/nntile#351: num_iter is saved, which stays 0, and operations have the count",
)
class NineteenthSavesItsOwnCount(Frame):
    """The clock that is saved is the optimizer's own, which nothing raises: moments go on from t = 1."""

    num_iter = 0

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "t": [self.num_iter for _ in self.slots]}


@wrong(
    "state layout",
    "STATE.4",
    like="sony/nnabla@f85241a0: each file of a solver is read into a new dictionary, and the last one stays",
)
class NineteenthStatesOfLastFile(Frame):
    """Each parameter has a solver, and each solver a file: of what is loaded, the last one's is found."""

    def set_state(self, state: dict[str, Any]) -> None:
        before = [(s.t, s.m, s.v) for s in self.slots]
        super().set_state(state)
        states: dict[str, int] = {}
        for s in self.slots:
            states = {f"solver{s.index}": s.index}
        for s in self.slots:
            if f"solver{s.index}" not in states:
                s.t, s.m, s.v = before[s.index]


@wrong(
    "decay moments",
    "DEC.3",
    like="IndicoDataSolutions/finetune@400e4c11: decayed are all global variables, and slots are among them",
)
class NineteenthSlotsDecay(Unscaled):
    """Both moments lose the weight decay's part of themselves where a parameter does, before the step."""

    def learn(self, s: Slot, g: Array) -> None:
        kept = 1 - s.h.weight_decay
        s.m, s.v = s.m * kept, s.v * kept
        super().learn(s, g)


@wrong(
    "hyperparameters epsilon decay",
    "EPS.1",
    like="FluxML/Optimisers.jl#197: the constructor's order of fields is not that of their declaration",
)
class NineteenthFieldsInOtherOrder(Modulus):
    """An optimizer is made with the weight decay for an epsilon, and with the epsilon for a weight decay."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        for s in self.slots:
            s.h = self.constructed(s.h)

    def constructed(self, h: Hyper) -> Hyper:
        return Hyper(h.lr, h.b1, h.b2, h.weight_decay, h.eps)
