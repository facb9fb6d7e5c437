"""brainpy.optim.Adam: it updates variables of its own from a dict of gradients."""

import brainpy
import brainpy.math as bm
import jax
import numpy as np


class Adam:
    flushes_subnormals = True
    complex = False

    def init(self, params, hyper):
        if params[0].dtype == np.float64 and not jax.config.jax_enable_x64:
            jax.config.update("jax_enable_x64", True)
        self.variables = {str(i): bm.Variable(jax.numpy.asarray(p)) for i, p in enumerate(params)}
        self.optimizer = brainpy.optim.Adam(
            hyper["lr"],
            self.variables,
            beta1=hyper["b1"],
            beta2=hyper["b2"],
            eps=hyper["eps"],
            weight_decay=hyper["weight_decay"] or None,
        )

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.optimizer.update({str(i): jax.numpy.asarray(g) for i, g in enumerate(grads)})
        return [np.asarray(bm.as_jax(v)) for v in self.variables.values()]
