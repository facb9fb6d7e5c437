"""warp.optim.Adam on the CPU: arrays of float32 in one dimension."""

import numpy as np
import warp as wp
from warp.optim import Adam as WarpAdam

wp.config.quiet = True


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        if any(p.dtype != np.float32 for p in params):
            raise NotImplementedError("float32 alone")
        self.shapes = [p.shape for p in params]
        self.params = [wp.array(np.array(p).ravel(), dtype=wp.float32, device="cpu") for p in params]
        self.optimizer = WarpAdam(
            self.params, lr=hyper["lr"], betas=(hyper["b1"], hyper["b2"]), eps=hyper["eps"]
        )

    def set_lr(self, lr):
        self.optimizer.lr = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        given = [wp.array(np.array(g).ravel(), dtype=wp.float32, device="cpu") for g in grads]
        self.optimizer.step(given)
        return [p.numpy().reshape(shape).copy() for p, shape in zip(self.params, self.shapes)]
