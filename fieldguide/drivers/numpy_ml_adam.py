"""numpy_ml.neural_nets.optimizers.Adam, with a name for each parameter."""

import collections
import collections.abc

import numpy as np

collections.Hashable = collections.abc.Hashable  # a name that Python 3.10 has removed
from numpy_ml.neural_nets.optimizers import Adam as NumpyMlAdam  # noqa: E402


class Adam:
    hyper = ("lr", "b1", "b2", "eps")

    def init(self, params, hyper):
        self.params = [np.array(p) for p in params]
        self.optimizer = NumpyMlAdam(
            lr=hyper["lr"], decay1=hyper["b1"], decay2=hyper["b2"], eps=hyper["eps"], lr_scheduler=None
        )

    def step(self, grads):
        for i, g in enumerate(grads):
            if g is not None:
                after = self.optimizer.update(self.params[i], np.array(g), f"p{i}")
                self.params[i] = np.asarray(after, self.params[i].dtype)
        return [p.copy() for p in self.params]
