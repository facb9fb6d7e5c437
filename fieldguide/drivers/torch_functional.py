"""torch.optim.adam.adam: the function behind the class, called with the lists of one step."""

import torch
from torch.optim.adam import adam


class Adam:
    def init(self, params, hyper):
        if any(p.dtype.kind == "c" for p in params):
            raise NotImplementedError("complex parameters")
        self.hyper = dict(hyper)
        self.params = [torch.tensor(p) for p in params]
        self.m, self.v = ([torch.zeros_like(p) for p in self.params] for _ in range(2))
        self.steps = [torch.tensor(0.0) for _ in params]

    def set_lr(self, lr):
        self.hyper["lr"] = lr

    def step(self, grads):
        here = [i for i, g in enumerate(grads) if g is not None]
        lists = (self.params, [torch.tensor(g) if g is not None else None for g in grads], self.m, self.v)
        p, g, m, v, steps = ([each[i] for i in here] for each in (*lists, self.steps))
        adam(
            p,
            g,
            m,
            v,
            [],
            steps,
            amsgrad=False,
            maximize=False,
            beta1=self.hyper["b1"],
            beta2=self.hyper["b2"],
            lr=self.hyper["lr"],
            weight_decay=self.hyper["weight_decay"],
            eps=self.hyper["eps"],
        )
        return [p.numpy().copy() for p in self.params]
