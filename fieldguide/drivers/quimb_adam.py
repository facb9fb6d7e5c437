"""quimb.tensor.optimize.ADAM, a minimizer that keeps its moments from one call to the next."""

import numpy as np
from quimb.tensor.optimize import ADAM


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        if len({p.dtype for p in params}) > 1:
            raise NotImplementedError("one vector, of one dtype")
        self.keywords = {
            "learning_rate": hyper["lr"],
            "beta1": hyper["b1"],
            "beta2": hyper["b2"],
            "eps": hyper["eps"],
        }
        self.optimizer = ADAM()
        self.shapes = [p.shape for p in params]
        self.x = np.concatenate([np.array(p).ravel() for p in params])

    def set_lr(self, lr):
        self.keywords["learning_rate"] = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        flat = np.concatenate([np.array(g).ravel() for g in grads])
        found = self.optimizer(lambda x: 0.0, self.x, lambda x: flat, maxiter=1, **self.keywords)
        self.x, after, rest = np.array(found.x), [], np.array(found.x)
        for shape in self.shapes:
            size = int(np.prod(shape))
            after.append(rest[:size].reshape(shape))
            rest = rest[size:]
        return after
