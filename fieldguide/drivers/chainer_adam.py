"""chainer.optimizers.Adam over the parameters of one link."""

import chainer
import numpy as np


class Adam:
    """An array candidate; ``options`` are further arguments of the constructor."""

    options = {}

    def init(self, params, hyper):
        self.link = chainer.Link()
        with self.link.init_scope():
            for i, p in enumerate(params):
                setattr(self.link, f"p{i}", chainer.Parameter(np.array(p)))
        self.params = [getattr(self.link, f"p{i}") for i in range(len(params))]
        self.optimizer = chainer.optimizers.Adam(
            alpha=hyper["lr"],
            beta1=hyper["b1"],
            beta2=hyper["b2"],
            eps=hyper["eps"],
            weight_decay_rate=hyper["weight_decay"],
            **self.options,
        )
        self.optimizer.setup(self.link)

    def set_lr(self, lr):
        self.optimizer.hyperparam.alpha = lr

    def step(self, grads):
        for p, g in zip(self.params, grads):
            p.grad = g
        self.optimizer.update()
        return [p.array.copy() for p in self.params]


class AMSGrad(Adam):
    options = {"amsgrad": True}
