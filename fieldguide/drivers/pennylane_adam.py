"""pennylane.AdamOptimizer; a parameter without a gradient is one that is not trainable in that step."""

import numpy as np
import pennylane as qml


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        self.params, self.dtypes = [np.array(p) for p in params], [p.dtype for p in params]
        self.optimizer = qml.AdamOptimizer(
            stepsize=hyper["lr"], beta1=hyper["b1"], beta2=hyper["b2"], eps=hyper["eps"]
        )

    def set_lr(self, lr):
        self.optimizer.stepsize = lr

    def step(self, grads):
        given = [
            qml.numpy.array(p, requires_grad=g is not None, dtype=p.dtype) for p, g in zip(self.params, grads)
        ]
        after = self.optimizer.apply_grad(tuple(np.array(g) for g in grads if g is not None), given)
        self.params = [np.asarray(p).astype(d) for p, d in zip(after, self.dtypes)]
        return [p.copy() for p in self.params]
