"""Classes that look like torch.optim's and are none: parameters, their ``grad``, and ``step``."""

import torch
import torchopt


class TorchOptAdam:
    made = torchopt.Adam

    def init(self, params, hyper):
        if any(p.dtype.kind == "c" for p in params):
            raise NotImplementedError("complex parameters")
        self.params = [torch.tensor(p, requires_grad=True) for p in params]
        self.optimizer = type(self).made(
            self.params,
            lr=hyper["lr"],
            betas=(hyper["b1"], hyper["b2"]),
            eps=hyper["eps"],
            weight_decay=hyper["weight_decay"],
        )

    def step(self, grads):
        for p, g in zip(self.params, grads):
            p.grad = None if g is None else torch.tensor(g)
        self.optimizer.step()
        return [p.detach().numpy().copy() for p in self.params]


class TorchOptAdamW(TorchOptAdam):
    made = torchopt.AdamW
