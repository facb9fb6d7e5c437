"""schedulefree.AdamWScheduleFree in training: what it is given and returns are the weights y."""

import torch
from schedulefree import AdamWScheduleFree


class AdamW:
    def init(self, params, hyper):
        if any(p.dtype.kind == "c" for p in params):
            raise NotImplementedError("complex parameters")
        self.params = [torch.tensor(p, requires_grad=True) for p in params]
        self.optimizer = AdamWScheduleFree(
            self.params,
            lr=hyper["lr"],
            betas=(hyper["b1"], hyper["b2"]),
            eps=hyper["eps"],
            weight_decay=hyper["weight_decay"],
            foreach=False,
        )
        self.optimizer.train()

    def step(self, grads):
        for p, g in zip(self.params, grads):
            p.grad = None if g is None else torch.tensor(g)
        self.optimizer.step()
        return [p.detach().numpy().copy() for p in self.params]
