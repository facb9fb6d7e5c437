"""evotorch.optimizers.Adam: a vector that is to grow, and the step as what it returns."""

import numpy as np
import torch
from evotorch.optimizers import Adam as EvoAdam

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        self.params = [np.array(p) for p in params]
        self.optimizers = [
            EvoAdam(
                solution_length=p.size,
                dtype=DTYPES[str(p.dtype)],
                stepsize=hyper["lr"],
                beta1=hyper["b1"],
                beta2=hyper["b2"],
                epsilon=hyper["eps"],
            )
            for p in params
        ]

    def step(self, grads):
        for i, g in enumerate(grads):
            if g is not None:
                step = self.optimizers[i].ascent(torch.tensor(-np.array(g).ravel()))
                self.params[i] = self.params[i] + step.numpy().reshape(self.params[i].shape)
        return [p.copy() for p in self.params]
