"""jax.example_libraries.optimizers.adam; the caller counts the steps from 0, and compiles the update."""

import jax
import numpy as np
from jax.example_libraries import optimizers


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    flushes_subnormals = True
    complex = False

    def init(self, params, hyper):
        if any(p.dtype == np.float64 for p in params) and not jax.config.jax_enable_x64:
            jax.config.update("jax_enable_x64", True)
        self.lr, self.i = hyper["lr"], 0
        start, update, self.get = optimizers.adam(
            lambda i: self.traced_lr, b1=hyper["b1"], b2=hyper["b2"], eps=hyper["eps"]
        )

        def compiled(i, grads, state, lr):  # the schedule reads the learning rate of this step
            self.traced_lr = lr
            return update(i, grads, state)

        self.update, self.state = jax.jit(compiled), start([jax.numpy.asarray(p) for p in params])

    def set_lr(self, lr):
        self.lr = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.state = self.update(self.i, [jax.numpy.asarray(g) for g in grads], self.state, self.lr)
        self.i += 1
        return [np.asarray(p) for p in self.get(self.state)]
