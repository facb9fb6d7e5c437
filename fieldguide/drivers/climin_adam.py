"""climin.Adam, a generator over one vector; it calls 1 - b1 and 1 - b2 its decays of the moments."""

import climin
import numpy as np


class Adam:
    hyper = ("lr", "b1", "b2", "eps")

    def init(self, params, hyper):
        self.shapes = [p.shape for p in params]
        self.x = np.concatenate([np.array(p).ravel() for p in params])
        self.given = None
        self.steps = iter(
            climin.Adam(
                self.x,
                lambda x: self.given,
                step_rate=hyper["lr"],
                decay=1.0,
                decay_mom1=1 - hyper["b1"],
                decay_mom2=1 - hyper["b2"],
                momentum=0,
                offset=hyper["eps"],
            )
        )

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.given = np.concatenate([np.array(g).ravel() for g in grads])
        next(self.steps)
        after, rest = [], self.x.copy()
        for shape in self.shapes:
            size = int(np.prod(shape))
            after.append(rest[:size].reshape(shape))
            rest = rest[size:]
        return after
