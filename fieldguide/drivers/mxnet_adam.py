"""mxnet.optimizer: an index, a weight, a gradient and a state for each parameter."""

import numpy as np

np.bool = bool  # a name that NumPy 1.24 has removed
import mxnet as mx  # noqa: E402


class Adam:
    def init(self, params, hyper):
        self.params = [mx.nd.array(p, dtype=p.dtype) for p in params]
        self.optimizer = self.made(hyper)
        self.states = [self.optimizer.create_state(i, p) for i, p in enumerate(self.params)]

    def made(self, h):
        return mx.optimizer.Adam(**self.common(h))

    def common(self, h):
        return {
            "learning_rate": h["lr"],
            "beta1": h["b1"],
            "beta2": h["b2"],
            "epsilon": h["eps"],
            "wd": h["weight_decay"],
        }

    def set_lr(self, lr):
        self.optimizer.set_learning_rate(lr)

    def step(self, grads):
        for i, (p, g) in enumerate(zip(self.params, grads)):
            if g is not None:
                self.optimizer.update(i, p, mx.nd.array(g, dtype=g.dtype), self.states[i])
        return [p.asnumpy().copy() for p in self.params]


class Nadam(Adam):
    hyper = ("lr", "b1", "b2", "eps", "weight_decay", "momentum_decay")

    def made(self, h):
        return mx.optimizer.Nadam(**self.common(h), schedule_decay=h.get("momentum_decay", 0.004))
