"""flax.optim.Adam, which was removed in flax 0.6."""

import jax.numpy as jnp
import numpy as np
from flax import optim


class Adam:
    def init(self, params, hyper):
        self.hyper = dict(hyper)
        made = optim.Adam(
            hyper["lr"],
            beta1=hyper["b1"],
            beta2=hyper["b2"],
            eps=hyper["eps"],
            weight_decay=hyper["weight_decay"],
        )
        self.optimizer = made.create([jnp.asarray(p) for p in params])

    def set_lr(self, lr):
        self.hyper["lr"] = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        given = [jnp.asarray(g) for g in grads]
        self.optimizer = self.optimizer.apply_gradient(given, learning_rate=self.hyper["lr"])
        return [np.asarray(p) for p in self.optimizer.target]
