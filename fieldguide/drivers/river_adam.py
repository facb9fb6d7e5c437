"""river.optim: weights in a dictionary, one Python float each."""

import numpy as np
from river import optim


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        if any(p.dtype != np.float64 for p in params):
            raise NotImplementedError("Python floats")
        self.shapes = [p.shape for p in params]
        self.weights = {(i, k): float(x) for i, p in enumerate(params) for k, x in enumerate(p.ravel())}
        self.optimizer = self.made(hyper["lr"], beta_1=hyper["b1"], beta_2=hyper["b2"], eps=hyper["eps"])

    made = optim.Adam

    def step(self, grads):
        given = {
            (i, k): float(x) for i, g in enumerate(grads) if g is not None for k, x in enumerate(np.ravel(g))
        }
        self.weights = self.optimizer.step(self.weights, given)
        return [
            np.array([self.weights[i, k] for k in range(int(np.prod(shape)))]).reshape(shape)
            for i, shape in enumerate(self.shapes)
        ]


class AMSGrad(Adam):
    made = optim.AMSGrad
