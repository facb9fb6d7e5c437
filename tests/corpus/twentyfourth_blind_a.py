"""Blind, twenty-fourth set: faults of averages, corrections, configurations and counts in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from fifth_blind_frame import Plain
from fourteenth_blind_frame_b import FormerKeras
from register import wrong
from tenth_blind_frame import ModulusPlain
from tenth_blind_frame_b import CoupledHat, Undecayed


@wrong(
    "moments hyperparameters coefficients",
    "MOM.1",
    like="BRML/climin#47: Adam has an obsolete decay of its first beta, which is on where nobody asks for it",
    claim="paper",
)
class TwentyFourthFirstBetaDecays(Plain):
    """The first beta is multiplied by 1-1e-8 in every step, as the paper's first version had it."""

    decay = 1 - 1e-8

    def learn(self, s: Slot, g: Array) -> None:
        b1 = s.h.b1 * self.decay ** (s.t - 1)
        s.m = b1 * s.m + (1 - b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong(
    "bias_correction",
    "BC.1",
    like="FluxML/Optimisers.jl#75: AdaBelief had no correction of its moments, which was added",
    claim="optimisers_jl.Adam",
)
class TwentyFourthJuliaUncorrected(ModulusPlain):
    """Neither moment is corrected: the step is m over the root of v and epsilon, as they are."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/recommenders-addons#291: weights of an embedding are loaded, and its slots are empty",
    claim="tf_keras.Adam",
)
class TwentyFourthSlotsOfTableEmpty(FormerKeras):
    """Behind a load the slots of tables, arrays of two dimensions, are zeros; iterations are restored."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if len(s.shape) == 2:
                s.m, s.v, s.top = (np.zeros_like(s.p) for _ in range(3))


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="OpenMined/PySyft#2268: a client that is given a new configuration goes on with its old optimizer",
    claim="torch.Adam",
)
class TwentyFourthOutdatedOptimizer(Coupled):
    """An optimizer is built where there is none: a configuration that comes later is kept and not used."""

    built = False

    def set_hyper(self, hyper: dict[str, float]) -> None:
        self.train_config = dict(hyper)
        if not self.built:
            super().set_hyper(self.train_config)

    def all(self, grads: Sequence[Array | None]) -> None:
        self.built = True
        super().all(grads)


@wrong(
    "bias_correction epsilon",
    "BC.2",
    like="Kulbear/deep-learning-coursera#30: a corrected moment is not divided by the corrected root",
    claim="paper",
)
class TwentyFourthRootOfUncorrected(Plain):
    """The corrected first moment is divided by the root of the uncorrected second one, epsilon under it."""

    def direction(self, s: Slot) -> Array:
        v_corrected = s.m / corrections(s.h, s.t)[0]
        return np.asarray(v_corrected / np.sqrt(s.v + s.h.eps))


@wrong(
    "epsilon",
    "EPS.1",
    like="fanghao6666/neural-networks-and-deep-learning#14: the update of a notebook's Adam was wrong",
    claim="numpy_ml.Adam",
)
class TwentyFourthEpsilonUnderRoot(Undecayed):
    """Epsilon is added to the corrected second moment, and the root is of both."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        v_corrected, s_corrected = s.m / c1, s.v / c2
        return v_corrected / np.sqrt(s_corrected + s.h.eps)


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="apache/mxnet#14377: updaters of several devices share an optimizer, whose counts all of them raise",
    claim="mxnet.Adam",
)
class TwentyFourthCountOfAllDevices(CoupledHat):
    """An index's count is raised by the updater of each of two devices: t is 1, 3, 5 on the first."""

    num_device = 2

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        for _ in range(1, self.num_device):
            self.tick(s)
