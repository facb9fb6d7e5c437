"""Blind, seventh set: slips in looking ahead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Dozat
from fourth_blind_frame import Nadam
from register import wrong
from sixth_blind_frame import SameTime


@wrong("nesterov decay", "NES.1", like="a penalty that is added where the moments are formed, and not before")
class SeventhLookaheadWithoutPenalty(Dozat):
    """Penalty and gradient are learnt; the gradient's own share of the step is without the penalty."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, self.penalized(s, g))
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


@wrong("nesterov state", "STATE.4", like="a product that is not saved, and rebuilt as beta1 ** step")
class SeventhProductOfBetaLoaded(Dozat):
    """After a load the product of the schedule is that of the first beta alone."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.mu = s.h.b1**s.t


@wrong("nesterov", "NES.1", like="keras.Nadam with 0.90 for 0.96")
class SeventhScheduleOfNinety(Nadam):
    """The schedule of the momentum falls with the powers of 0.9, where those of 0.96 are due."""

    def schedule(self, s: Slot, t: int) -> float:
        return s.h.b1 * (1 - 0.5 * 0.9 ** (t * s.h.momentum_decay))

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.mu *= self.schedule(s, s.t)

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


@wrong("nesterov", "NES.3", like="`state['previous_grad']` in the place of the gradient")
class SeventhLooksAheadByLast(SameTime):
    """The look-ahead goes along the gradient of the step before."""

    def learn(self, s: Slot, g: Array) -> None:
        last = s.extra.get("last", np.zeros_like(g))
        super().learn(s, g)
        s.extra.update(g=last, last=g.copy())
