"""tinygrad.nn.optim: parameters with a gradient of their own; kernels are compiled for the CPU."""

import numpy as np
from tinygrad import Tensor, nn

Tensor.training = True


class AdamW:
    complex = False
    made = staticmethod(nn.optim.AdamW)

    def init(self, params, hyper):
        self.params = [Tensor(np.array(p)).realize() for p in params]
        for p in self.params:
            p.requires_grad = True
        self.optimizer = self.optimizer_of(hyper)

    def optimizer_of(self, h):
        decay = {"weight_decay": h["weight_decay"]} if "weight_decay" in h else {}
        return self.made(self.params, lr=h["lr"], b1=h["b1"], b2=h["b2"], eps=h["eps"], **decay)

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        for p, g in zip(self.params, grads):
            p.grad = Tensor(np.array(g))
        self.optimizer.step()
        return [p.numpy().copy() for p in self.params]


class Adam(AdamW):
    hyper = ("lr", "b1", "b2", "eps")
    made = staticmethod(nn.optim.Adam)
