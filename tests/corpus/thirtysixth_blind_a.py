"""Blind, thirty-sixth set: faults of shares, experts, averages and epsilons in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fourth_blind_frame import Common, Keras
from register import right, wrong
from tenth_blind_frame_b import Slotted, Undecayed


@wrong(
    "state layout",
    "STATE.4",
    like="NVIDIA/Megatron-LM#7162: a fused projection's state has other keys and sizes than its tensors",
    claim="torch.AdamW",
)
class ThirtySixthFusedNotReadBack(Frame):
    """Matrices of an even number of rows are fused: saved as one, sought as two, and a load is refused."""

    def is_fused(self, s: Slot) -> bool:
        return len(s.shape) == 2 and s.shape[0] % 2 == 0 and s.p.size > 0

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        sharded: dict[str, Any] = {}
        for s in self.slots:
            for name in ("m", "v"):
                sharded[f"{s.index}.{name}"] = whole[name][s.index]
        return {"t": whole["t"], "reshardable": sharded}

    def set_state(self, state: dict[str, Any]) -> None:
        if "reshardable" not in state:
            super().set_state(state)
            return
        sharded = state["reshardable"]
        read: dict[str, Any] = {"t": state["t"], "m": [], "v": []}
        for s in self.slots:
            for name in ("m", "v"):
                if self.is_fused(s):
                    halves = [sharded[f"{s.index}.{half}.{name}"] for half in ("gate", "up")]
                    read[name].append(np.concatenate(halves))
                else:
                    read[name].append(sharded[f"{s.index}.{name}"])
        super().set_state(read)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="huggingface/transformers#34191: the trainer divides no more, nor does the loss that was given",
    claim="torch.AdamW",
)
class ThirtySixthCustomLossNotDivided(Frame):
    """Means of eight micro-batches are added up, and neither trainer nor loss divides the sum by eight."""

    gradient_accumulation_steps = 8

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        total = np.zeros_like(row)
        for _ in range(self.gradient_accumulation_steps):
            total += row
        return total


@wrong(
    "epsilon hyperparameters",
    "EPS.2",
    like="lc222/char-cnn-text-classification-tensorflow#3: made with a rate alone, its epsilon is too small",
)
class ThirtySixthRateAlone(Slotted):
    """The optimizer is made with the learning rate and the betas alone: its epsilon is always 1e-8."""

    dialect = "tf1.Adam"
    epsilon = 1e-8

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + self.epsilon))


@wrong(
    "sharding moments",
    "MOM.1",
    like="databricks/megablocks#20: gradients of experts' weights are not divided by the world's size",
    claim="apex.FusedAdam",
)
class ThirtySixthExpertsNotAveraged(Common):
    """Matrices are weights of experts: their gradients are summed over four ranks, the others' averaged."""

    world_size = 4

    def update(self, s: Slot, g: Array) -> None:
        summed = np.zeros_like(g)
        for _ in range(self.world_size):
            summed += g
        super().update(s, summed if len(s.shape) > 1 else summed / self.world_size)


@wrong(
    "moments aliasing",
    "STEP.1",
    like="tue-bmd/zea#172: inference has the EMA network, which no train step ever updates",
)
class ThirtySixthEmaNetworkStays(Keras):
    """The parameters that are handed out are those of an average, which no step updates: nothing moves."""

    dialect = "keras.Adam"

    def begin(self) -> None:
        self.ema_network = [s.p.copy() for s in self.slots]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step(grads)
        return [self.shaped(s, weight) for s, weight in zip(self.slots, self.ema_network, strict=True)]


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="nerfstudio-project/nerfstudio#134: in half precision the epsilon of 1e-8 is 0, and NaN comes",
)
class ThirtySixthHalfEpsilon(Coupled):
    """Epsilon is rounded to half precision before it joins the root: 1e-8 is 0 there."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        denominator = np.sqrt(s.v) / math.sqrt(c2)
        denominator += float(np.float16(s.h.eps))
        return (s.m / denominator) / c1


@right(claim="torch.AdamW")
class ThirtySixthRightFusedHalves(Frame):
    """AdamW that saves even matrices as two halves under names of their own, and joins them in a load."""

    def get_state(self) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for s in self.slots:
            for name in ("m", "v"):
                a = self.shaped(s, getattr(s, name))
                fused = a.ndim == 2 and len(a) % 2 == 0
                pieces = {"gate": a[: len(a) // 2], "up": a[len(a) // 2 :]} if fused else {"whole": a}
                parts.update({f"{s.index}.{piece}.{name}": x.copy() for piece, x in pieces.items()})
        return {"steps": {str(s.index): s.t for s in self.slots}, "parts": parts}

    def set_state(self, state: dict[str, Any]) -> None:
        if "parts" not in state:
            super().set_state(state)
            return
        parts = state["parts"]
        for s in self.slots:
            s.t = int(state["steps"][str(s.index)])
            for name in ("m", "v"):
                whole = parts.get(f"{s.index}.whole.{name}")
                if whole is None:
                    whole = np.concatenate([parts[f"{s.index}.{half}.{name}"] for half in ("gate", "up")])
                setattr(s, name, flat(np.asarray(whole)).copy())

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.v + (((1 - s.h.b2) * g) * g - s.v * (1 - s.h.b2))
        below = np.sqrt(s.v) * (1 / math.sqrt(c2)) + s.h.eps
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay) + (s.m / below) * (-s.h.lr / c1)


@right(claim="numpy_ml.Adam")
class ThirtySixthRightCachedByName(Undecayed):
    """Adam whose clocks and moments are in a cache of dicts by name; its numbers are arrays without axes."""

    def update(self, s: Slot, g: Array) -> None:
        of = s.p.dtype.type
        cache: dict[str, Any] = {"t": s.t, "mean": s.m, "var": s.v}
        c1, c2 = corrections(s.h, cache["t"])
        d1, d2 = np.asarray(1 - s.h.b1, of), np.asarray(1 - s.h.b2, of)
        cache["mean"] = cache["mean"] + d1 * (g - cache["mean"])
        cache["var"] = cache["var"] + ((d2 * g) * g - d2 * cache["var"])
        root = np.sqrt(cache["var"]) / np.asarray(math.sqrt(c2), of)
        root = root + np.asarray(s.h.eps, of)
        s.p = s.p - np.asarray(s.h.lr / c1, of) * (cache["mean"] / root)
        s.m, s.v = cache["mean"], cache["var"]
