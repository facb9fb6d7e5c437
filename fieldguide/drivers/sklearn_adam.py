"""The optimizer of scikit-learn's multi-layer perceptrons."""

import numpy as np
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        self.params = [np.array(p) for p in params]
        self.optimizer = AdamOptimizer(
            self.params, hyper["lr"], beta_1=hyper["b1"], beta_2=hyper["b2"], epsilon=hyper["eps"]
        )

    def set_lr(self, lr):
        self.optimizer.learning_rate_init = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.optimizer.update_params(self.params, [np.array(g) for g in grads])
        return [p.copy() for p in self.params]
