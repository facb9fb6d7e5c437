"""numpyro.optim.Adam; the caller compiles the update, as numpyro's inference does."""

import jax
import numpy as np
from numpyro import optim


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    flushes_subnormals = True
    complex = False

    def init(self, params, hyper):
        if any(p.dtype == np.float64 for p in params) and not jax.config.jax_enable_x64:
            jax.config.update("jax_enable_x64", True)
        self.optimizer = optim.Adam(hyper["lr"], b1=hyper["b1"], b2=hyper["b2"], eps=hyper["eps"])
        self.update = jax.jit(self.optimizer.update)
        self.state = self.optimizer.init([jax.numpy.asarray(p) for p in params])

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.state = self.update([jax.numpy.asarray(g) for g in grads], self.state)
        return [np.asarray(p) for p in self.optimizer.get_params(self.state)]
