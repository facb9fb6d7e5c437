"""mlx.optimizers, on the CPU; a parameter without a gradient is left out of the tree of gradients."""

import mlx.core as mx
import mlx.optimizers
import numpy as np

mx.set_default_device(mx.cpu)


class AdamW:
    complex = False
    flushes_subnormals = True

    def init(self, params, hyper):
        if any(p.dtype != np.float32 for p in params):
            raise NotImplementedError("float32 alone")
        self.params = {f"p{i}": mx.array(p) for i, p in enumerate(params)}
        self.optimizer = self.made(hyper)
        self.optimizer.init(self.params)

    def made(self, h):
        return mlx.optimizers.AdamW(
            h["lr"], betas=[h["b1"], h["b2"]], eps=h["eps"], weight_decay=h["weight_decay"]
        )

    def set_lr(self, lr):
        self.optimizer.learning_rate = lr

    def step(self, grads):
        given = {f"p{i}": mx.array(np.array(g)) for i, g in enumerate(grads) if g is not None}
        self.params |= self.optimizer.apply_gradients(given, self.params)
        mx.eval(self.params, self.optimizer.state)
        return [np.array(self.params[f"p{i}"]) for i in range(len(grads))]


class Adam(AdamW):
    hyper = ("lr", "b1", "b2", "eps")

    def made(self, h):
        return mlx.optimizers.Adam(h["lr"], betas=[h["b1"], h["b2"]], eps=h["eps"])


class Lion(AdamW):
    hyper = ("lr", "b1", "b2", "weight_decay")

    def made(self, h):
        return mlx.optimizers.Lion(h["lr"], betas=[h["b1"], h["b2"]], weight_decay=h["weight_decay"])
