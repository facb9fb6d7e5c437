"""fastai.optimizer.Adam: it steps the parameters' data by callbacks."""

import torch
from fastai.optimizer import Adam as Made


class Adam:
    decoupled = True

    def init(self, params, hyper):
        self.params = [torch.tensor(p, requires_grad=True) for p in params]
        self.optimizer = Made(
            self.params,
            lr=hyper["lr"],
            mom=hyper["b1"],
            sqr_mom=hyper["b2"],
            eps=hyper["eps"],
            wd=hyper["weight_decay"],
            decouple_wd=self.decoupled,
        )

    def set_lr(self, lr):
        self.optimizer.set_hyper("lr", lr)

    def step(self, grads):
        for p, g in zip(self.params, grads):
            p.grad = None if g is None else torch.tensor(g)
        self.optimizer.step()
        return [p.detach().numpy().copy() for p in self.params]
