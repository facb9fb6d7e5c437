"""thinc.api.Adam, without its clipping: float32 alone."""

import numpy as np
from thinc.api import Adam as ThincAdam
from thinc.api import constant


class Adam:
    complex = False

    def init(self, params, hyper):
        if any(p.dtype != np.float32 for p in params):
            raise NotImplementedError("float32 alone")
        self.params = [np.array(p) for p in params]
        self.optimizer = ThincAdam(
            hyper["lr"],
            beta1=hyper["b1"],
            beta2=hyper["b2"],
            eps=hyper["eps"],
            L2=hyper["weight_decay"],
            grad_clip=0.0,
            L2_is_weight_decay=True,
            use_averages=False,
        )

    def set_lr(self, lr):
        self.optimizer.learn_rate = constant(lr)

    def step(self, grads):
        for i, g in enumerate(grads):
            if g is not None:
                flat, _ = self.optimizer((i, "p"), self.params[i].ravel(), np.array(g).ravel())
                self.params[i] = flat.reshape(self.params[i].shape).copy()
        return [p.copy() for p in self.params]
