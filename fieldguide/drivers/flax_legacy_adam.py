"""flax.optim.Adam of 0.5, behind the driver of array classes."""

import jax
import numpy as np
from flax import optim


class Adam:
    flushes_subnormals = True
    complex = False

    def init(self, params, hyper):
        if params[0].dtype == np.float64 and not jax.config.jax_enable_x64:
            jax.config.update("jax_enable_x64", True)
        made = optim.Adam(
            hyper["lr"],
            beta1=hyper["b1"],
            beta2=hyper["b2"],
            eps=hyper["eps"],
            weight_decay=hyper["weight_decay"],
        )
        self.optimizer = made.create([jax.numpy.asarray(p) for p in params])

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.optimizer = self.optimizer.apply_gradient([jax.numpy.asarray(g) for g in grads])
        return [np.asarray(p) for p in self.optimizer.target]
