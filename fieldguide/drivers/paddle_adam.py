"""paddle.optimizer: parameters with a gradient of their own."""

import numpy as np
import paddle

paddle.set_device("cpu")


class AdamW:
    complex = False
    flushes_subnormals = True

    def init(self, params, hyper):
        paddle.set_default_dtype(str(params[0].dtype))
        self.params = [paddle.base.framework.EagerParamBase.from_tensor(paddle.to_tensor(p)) for p in params]
        self.optimizer = self.made(hyper)

    def made(self, h):
        return paddle.optimizer.AdamW(**self.common(h), weight_decay=h["weight_decay"])

    def common(self, h):
        return {
            "learning_rate": h["lr"],
            "beta1": h["b1"],
            "beta2": h["b2"],
            "epsilon": h["eps"],
            "parameters": self.params,
        }

    def set_lr(self, lr):
        self.optimizer.set_lr(lr)

    def step(self, grads):
        for p, g in zip(self.params, grads):
            p.grad = None if g is None else paddle.to_tensor(np.array(g))
        self.optimizer.step()
        return [p.numpy().copy() for p in self.params]


class Adam(AdamW):
    def made(self, h):
        return paddle.optimizer.Adam(**self.common(h), weight_decay=h["weight_decay"] or None)


class Lamb(AdamW):
    def made(self, h):
        return paddle.optimizer.Lamb(**self.common(h), lamb_weight_decay=h["weight_decay"])


class NAdam(AdamW):
    hyper = ("lr", "b1", "b2", "eps", "weight_decay", "momentum_decay")

    def made(self, h):
        return paddle.optimizer.NAdam(
            **self.common(h), momentum_decay=h["momentum_decay"], weight_decay=h["weight_decay"] or None
        )
