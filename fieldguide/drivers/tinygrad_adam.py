"""tinygrad.nn.optim.Adam and AdamW, on the CPU."""

import numpy as np
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn import optim


class AdamW:
    complex = False

    def init(self, params, hyper):
        self.params = [Tensor(np.ascontiguousarray(p)).is_param_(True).realize() for p in params]
        decay = {"weight_decay": hyper["weight_decay"]} if type(self) is AdamW else {}
        made = optim.AdamW if decay else optim.Adam
        self.optimizer = made(
            self.params, lr=hyper["lr"], b1=hyper["b1"], b2=hyper["b2"], eps=hyper["eps"], **decay
        )

    def set_lr(self, lr):
        self.optimizer.lr.assign(Tensor([lr], dtype=self.optimizer.lr.dtype)).realize()

    def step(self, grads):
        for p, g in zip(self.params, grads):
            p.grad = None if g is None else Tensor(np.ascontiguousarray(g))
        with Context(TRAINING=1):
            self.optimizer.step()
        return [p.numpy().copy() for p in self.params]


class Adam(AdamW):
    hyper = ("lr", "b1", "b2", "eps")
