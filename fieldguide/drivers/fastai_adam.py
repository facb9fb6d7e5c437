"""fastai.optimizer.Adam, which calls b1, b2 and decay mom, sqr_mom and wd."""

import torch
from fastai.optimizer import Adam as FastaiAdam


class Adam:
    decouple = True

    def init(self, params, hyper):
        if any(p.dtype.kind == "c" for p in params):
            raise NotImplementedError("complex parameters")
        self.params = [torch.nn.Parameter(torch.tensor(p)) for p in params]
        self.optimizer = FastaiAdam(
            self.params,
            lr=hyper["lr"],
            mom=hyper["b1"],
            sqr_mom=hyper["b2"],
            eps=hyper["eps"],
            wd=hyper["weight_decay"],
            decouple_wd=self.decouple,
        )

    def set_lr(self, lr):
        self.optimizer.set_hyper("lr", lr)

    def step(self, grads):
        for p, g in zip(self.params, grads):
            p.grad = None if g is None else torch.tensor(g)
        self.optimizer.step()
        return [p.detach().numpy().copy() for p in self.params]
