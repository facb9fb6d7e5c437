"""Blind, thirty-sixth set, second half: faults of ranks and averages, and right ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fourth_blind_frame import Common, Keras
from register import right, wrong


@wrong(
    "sharding layout",
    "MOM.1",
    like="NVIDIA/TransformerEngine#441: each rank steps its copy of layer_norm_weight by its own gradient",
)
class ThirtySixthBNormsNotReduced(Common):
    """Arrays of one axis have one rank's gradient, not that of both: what the other adds to is 0 there."""

    dialect = "transformer_engine.FusedAdam"
    ranks = 2

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) == 1:
            own = np.zeros_like(g)
            own[:: self.ranks] = g[:: self.ranks]
            g = own
        super().update(s, g)


@wrong(
    "state",
    "STATE.4",
    like="open-mmlab/mmengine#266: averages are swapped with the parameters, and not in the checkpoint",
)
class ThirtySixthBAveragesInCheckpoint(Frame):
    """A load puts the averages of the parameters into their place, and the run goes on from those."""

    dialect = "torch.AdamW"
    momentum = 0.1

    def begin(self) -> None:
        for s in self.slots:
            s.extra["averaged"] = s.p.copy()

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.extra["averaged"] = (1 - self.momentum) * s.extra["averaged"] + self.momentum * s.p

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "extra" in state:
            for s in self.slots:
                s.extra["averaged"], s.p = s.p, np.array(s.extra["averaged"])


@right()
class ThirtySixthBRightKeptRecords(Frame):
    """AdamW whose records stand in a dictionary by parameter, which a refinement carries over as they are."""

    dialect = "burn.AdamW"
    refine_every = 4

    def begin(self) -> None:
        self.records: dict[int, dict[str, Any]] = {}

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        r = self.records.pop(s.index, None) or {
            "time": 0, "moment_1": np.zeros_like(s.p), "moment_2": np.zeros_like(s.p)
        }  # fmt: skip
        time = r["time"] + 1
        moment_1 = r["moment_1"] * h.b1 + g * (1 - h.b1)
        moment_2 = r["moment_2"] * h.b2 + (g * (1 - h.b2)) * g
        ratio = moment_1 / (1 - h.b1**time) / (np.sqrt(moment_2) / math.sqrt(1 - h.b2**time) + h.eps)
        s.p = s.p * (1 - h.lr * h.weight_decay) - ratio * h.lr
        self.records[s.index] = {"time": time, "moment_1": moment_1, "moment_2": moment_2}
        if time % self.refine_every == 0:
            self.records = {i: dict(record) for i, record in self.records.items()}

    def get_state(self) -> dict[str, Any]:
        return {"records": {i: {k: np.copy(x) for k, x in r.items()} for i, r in self.records.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "records" not in state:
            super().set_state(state)
            rows = [{"time": s.t, "moment_1": s.m, "moment_2": s.v} for s in self.slots]
            self.records = dict(enumerate(rows))
            return
        self.records = {}
        for i, record in state["records"].items():
            arrays = {k: np.array(record[k]) for k in ("moment_1", "moment_2")}
            self.records[int(i)] = {"time": int(record["time"]), **arrays}


@right()
class ThirtySixthBRightChunks(Coupled):
    """Adam with L2 that goes through an array in chunks of seven numbers, and writes them in place."""

    dialect = "torch.Adam"
    chunk = 7

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        step_size, root = h.lr / (1 - h.b1**s.t), math.sqrt(1 - h.b2**s.t)
        p, m, v = s.p.copy(), s.m.copy(), s.v.copy()
        for start in range(0, p.size, self.chunk):
            i = slice(start, start + self.chunk)
            d = g[i] + p[i] * h.weight_decay
            m[i] *= h.b1
            m[i] += (1 - h.b1) * d
            v[i] *= h.b2
            v[i] += d * ((1 - h.b2) * d)
            p[i] -= step_size * (m[i] / (np.sqrt(v[i]) / root + h.eps))
        s.p, s.m, s.v = p, m, v


@right()
class ThirtySixthBRightTrainable(Keras):
    """Keras' AdamW that keeps momentum, velocity and iterations by paths, and adds differences to them."""

    dialect = "keras.AdamW"

    def learn(self, s: Slot, g: Array) -> None:
        w1, w2 = 1 - s.h.b1, 1 - s.h.b2
        s.m = s.m + (g - s.m) * w1
        s.v = s.v + ((w2 * g) * g - w2 * s.v)

    def move(self, s: Slot, u: Array) -> None:
        decayed = s.p - s.p * s.h.weight_decay * s.h.lr
        s.p = decayed - s.h.lr * u

    def get_state(self) -> dict[str, Any]:
        paths: dict[str, Any] = {"optimizer/iterations": [s.t for s in self.slots]}
        for s in self.slots:
            paths[f"optimizer/{s.index}/momentum"] = self.shaped(s, s.m)
            paths[f"optimizer/{s.index}/velocity"] = self.shaped(s, s.v)
        return paths

    def set_state(self, state: dict[str, Any]) -> None:
        if "optimizer/iterations" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t = int(state["optimizer/iterations"][s.index])
            s.m = flat(np.asarray(state[f"optimizer/{s.index}/momentum"])).copy()
            s.v = flat(np.asarray(state[f"optimizer/{s.index}/velocity"])).copy()
