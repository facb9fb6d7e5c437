"""Blind, thirty-sixth set, second half: faults of resets, groups and clips, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fourth_blind_frame import Common, Uncorrected
from register import wrong
from sixth_blind_frame import CoupledHat
from thirtysixth_blind_frame_b import Factored, coefficient, squared
from twelfth_blind_frame_b import Stored, begun


@wrong(
    "zero_gradient",
    "F2",
    like="TrenTorch/TrenTorch#186: a leftover batch is flushed where the accumulated loss is above 0",
)
class ThirtySixthBFlushedByLoss(Coupled):
    """What is accumulated is stepped by where the loss is above 0: a batch that fits makes no step."""

    dialect = "torch.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra["accumulated"] = np.zeros_like(s.p)

    def all(self, grads: Sequence[Array | None]) -> None:
        accumulated_loss = 0.0
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                s.extra["accumulated"] = s.extra["accumulated"] + self.taken(g)
                residual = np.abs(self.taken(g)).astype(np.float64)
                accumulated_loss += float(np.sum(np.where(np.isfinite(residual), residual, 1)))
        if accumulated_loss > 0:
            super().all(grads)

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, s.extra["accumulated"])
        s.extra["accumulated"] = np.zeros_like(s.p)


@wrong(
    "moments clock",
    "MOM.1",
    like="ArthurBrussee/brush#30: a refinement drops the momenta of all splats, not of those that are new",
)
class ThirtySixthBRefined(Frame):
    """Each twentieth step is one of refinement, behind which all arrays have a record that is fresh."""

    dialect = "burn.AdamW"
    refine_every = 20

    def begin(self) -> None:
        for s in self.slots:
            s.extra["iteration"] = 0

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.extra["iteration"] = s.extra.get("iteration", 0) + 1
        if s.extra["iteration"] % self.refine_every == 0:
            begun(s)


@wrong(
    "moments",
    "STEP.1",
    like="ymcui/Chinese-BERT-wwm#147: variables do not learn with the AdamWeightDecayOptimizer of BERT",
)
class ThirtySixthBAssignmentsNotRun(Uncorrected):
    """All three assignments of a variable are put into a list of operations, which nobody runs."""

    dialect = "BertAdam"

    def begin(self) -> None:
        self.operations: list[tuple[str, Array]] = []

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        next_m = h.b1 * s.m + (1 - h.b1) * g
        next_v = h.b2 * s.v + (1 - h.b2) * g * g
        ratio = next_m / (np.sqrt(next_v) + h.eps) + h.weight_decay * s.p
        next_param = s.p - h.lr * ratio
        self.operations += [("param", next_param), ("m", next_m), ("v", next_v)]


@wrong(
    "groups",
    "LR.4",
    like="MakazhanAlpamys/Soup#745: loraplus_lr_ratio is taken, and the groups of LoRA+ are never built",
)
class ThirtySixthBNoGroupsBuilt(Frame):
    """The rate of a group is taken and goes nowhere: all parameters have that of the first one."""

    dialect = "torch.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        lr, u = self.slots[0].h.lr, self.direction(s)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="nntrainer/nntrainer#2749: in mixed precision the norm is that of gradients with the loss scale",
)
class ThirtySixthBNormWithScale(Factored):
    """The norm that is held to 1 is that of gradients which are multiplied by a loss scale of 1024."""

    dialect = "torch.AdamW"
    loss_scale, max_norm = 1024.0, 1.0

    def factors(self, rows: Sequence[Array | None]) -> list[float]:
        squares = [squared(row) * self.loss_scale**2 for row in rows if row is not None]
        return [coefficient(squares, self.max_norm)] * len(rows)


@wrong(
    "clipping",
    "CLIP.2",
    like="anthonytorlucci/rlevo#328: PPO cuts each tensor by its norm, and says that it is by that of all",
)
class ThirtySixthBEachTensorCut(Factored, Coupled):
    """Each array's gradient is cut to a norm of 0.5 by itself, so that their common direction turns."""

    dialect = "burn.Adam"
    max_grad_norm = 0.5

    def factors(self, rows: Sequence[Array | None]) -> list[float]:
        return [1.0 if row is None else coefficient([squared(row)], self.max_grad_norm) for row in rows]


@wrong(
    "clipping",
    "CLIP.2",
    like="ooples/AiDotNet#1318: extra tensors are stepped later, and are in neither the norm nor the cut",
)
class ThirtySixthBExtraTensorsUncut(Factored):
    """Of several arrays the last is no layer's: it is not in the norm that the others are cut by to 1."""

    dialect = "torch.AdamW"
    max_norm = 1.0

    def factors(self, rows: Sequence[Array | None]) -> list[float]:
        layers = len(rows) - 1 if len(rows) > 1 else len(rows)
        factor = coefficient([squared(row) for row in rows[:layers] if row is not None], self.max_norm)
        return [factor] * layers + [1.0] * (len(rows) - layers)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="laekov/fastmoe#169: the experts' squared norm is reduced twice, both times in the wrong group",
)
class ThirtySixthBExpertsTwice(Factored, Common):
    """In the norm that gradients are cut by to 1, experts, each second array, have one rank's half, twice."""

    dialect = "apex.FusedAdam"
    model_parallel, data_parallel, max_norm = 2, 2, 1.0

    def factors(self, rows: Sequence[Array | None]) -> list[float]:
        squares = []
        for i, row in enumerate(rows):
            if row is not None and i % 2:
                own = row[: -(-row.size // self.data_parallel)]
                squares.append(squared(own) * self.model_parallel)
            elif row is not None:
                squares.append(squared(row))
        return [coefficient(squares, self.max_norm)] * len(rows)


@wrong(
    "decay",
    "DEC.1",
    like="OpenNMT/OpenNMT-py#2209: a micro-batch is divided by all tokens, a further term of the loss is not",
)
class ThirtySixthBTermOfEachBatch(Coupled):
    """The penalty is in the loss of each of four micro-batches, and only the rest is divided by four."""

    dialect = "torch.Adam"
    accum_count = 4

    def penalized(self, s: Slot, g: Array) -> Array:
        total = np.zeros_like(s.p)
        for _ in range(self.accum_count):
            total = total + (g / self.accum_count + s.h.weight_decay * s.p)
        return total


@wrong(
    "mixed_precision epsilon storage",
    "EPS.6",
    like="soumith/cudnn.torch#377: Adam with halves, in which an epsilon of 1e-8 is 0, gives NaN",
)
class ThirtySixthBHalfTensors(CoupledHat):
    """All tensors are halves, and so is what is added to the root: an epsilon of 1e-8 is 0 there."""

    dialect = "torch-1.2.Adam"

    def update(self, s: Slot, g: Array) -> None:
        half: Any = np.float16
        h = s.h
        p, m, v = (row.astype(half) for row in (s.p, s.m, s.v))
        d = g.astype(half) + half(h.weight_decay) * p
        m = half(h.b1) * m + half(1 - h.b1) * d
        v = half(h.b2) * v + half(1 - h.b2) * d * d
        step_size = half(h.lr * np.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t))
        p = p - step_size * (m / (np.sqrt(v) + half(h.eps)))
        s.p, s.m, s.v = (new.astype(old.dtype) for new, old in ((p, s.p), (m, s.m), (v, s.v)))


@wrong(
    "layout",
    "STEP.1",
    like="torch/DEPRECEATED-torch7-distro#156: the row of parameters is half as long as that of gradients",
)
class ThirtySixthBHalfOfFlatRow(Stored):
    """All arrays are one row, whose second half is taken for a shared copy: its gradient is dropped."""

    dialect = "paper.eps-hat"

    def update(self, s: Slot, g: Array) -> None:
        sizes = [slot.p.size for slot in self.slots]
        left = -(-sum(sizes) // 2) - sum(sizes[: s.index])
        before = s.p, s.m, s.v
        super().update(s, g)
        kept = np.arange(s.p.size) < left
        s.p, s.m, s.v = (np.where(kept, new, old) for new, old in zip((s.p, s.m, s.v), before, strict=True))
