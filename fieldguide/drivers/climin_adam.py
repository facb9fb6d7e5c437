"""climin.Adam, a loop over an array that it updates in place: one loop for each parameter."""

import climin
import numpy as np


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        self.loops, self.params, self.grads = [], [np.array(p) for p in params], [None] * len(params)
        for i, p in enumerate(self.params):
            loop = climin.Adam(
                p,
                lambda _, i=i: self.grads[i],
                step_rate=hyper["lr"],
                decay=np.nextafter(1.0, 0.0),  # it has to be less than 1
                decay_mom1=1.0 - hyper["b1"],
                decay_mom2=1.0 - hyper["b2"],
                offset=hyper["eps"],
            )
            self.loops.append((loop, iter(loop)))

    def set_lr(self, lr):
        for loop, _ in self.loops:
            loop.step_rate = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.grads = [np.array(g) for g in grads]
        for _, steps in self.loops:
            next(steps)
        return [p.copy() for p in self.params]
