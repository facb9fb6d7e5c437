"""drjit.opt.Adam on drjit's LLVM backend; a parameter without a gradient has one of zeros."""

import drjit as dr
import numpy as np
from drjit.llvm.ad import Float, Float64
from drjit.opt import Adam as Made


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        self.shapes = [p.shape for p in params]
        kind = Float64 if params[0].dtype == np.float64 else Float
        self.kind = kind
        self.optimizer = Made(
            hyper["lr"],
            {str(i): kind(np.array(p).ravel()) for i, p in enumerate(params)},
            beta_1=hyper["b1"],
            beta_2=hyper["b2"],
            epsilon=hyper["eps"],
        )

    def set_lr(self, lr):
        self.optimizer.set_learning_rate(lr)

    def step(self, grads):
        for i, g in enumerate(grads):
            if g is not None:
                dr.set_grad(self.optimizer[str(i)], self.kind(np.array(g).ravel()))
        self.optimizer.step()
        return [np.array(self.optimizer[str(i)]).reshape(s) for i, s in enumerate(self.shapes)]
