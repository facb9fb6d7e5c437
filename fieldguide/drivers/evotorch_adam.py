"""evotorch.algorithms.functional's adam: it goes up along the gradient; one state for each parameter."""

import torch
from evotorch.algorithms.functional import adam, adam_ask, adam_tell


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        self.shapes = [p.shape for p in params]
        self.states = [
            adam(
                center_init=torch.tensor(p).ravel(),
                center_learning_rate=hyper["lr"],
                beta1=hyper["b1"],
                beta2=hyper["b2"],
                epsilon=hyper["eps"],
            )
            for p in params
        ]

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.states = [
            adam_tell(state, follow_grad=torch.tensor(g).ravel()) for state, g in zip(self.states, grads)
        ]
        return [adam_ask(s).numpy().reshape(shape).copy() for s, shape in zip(self.states, self.shapes)]
