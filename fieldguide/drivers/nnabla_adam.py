"""nnabla.solvers: parameters of float32 that have a gradient of their own."""

import nnabla as nn
import nnabla.solvers as solvers
import numpy as np


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    dtypes = ("float32",)

    def init(self, params, hyper):
        self.params = [nn.Variable(p.shape, need_grad=True) for p in params]
        for variable, p in zip(self.params, params):
            variable.d = p
        self.solvers = [self.made(hyper) for _ in params]
        for i, (solver, variable) in enumerate(zip(self.solvers, self.params)):
            solver.set_parameters({f"p{i}": variable})

    def made(self, h):
        return solvers.Adam(h["lr"], h["b1"], h["b2"], h["eps"])

    def set_lr(self, lr):
        for solver in self.solvers:
            solver.set_learning_rate(lr)

    def step(self, grads):
        for solver, variable, g in zip(self.solvers, self.params, grads):
            if g is not None:
                variable.g = g
                solver.update()
        return [np.array(variable.d) for variable in self.params]


class AdamW(Adam):
    hyper = ("lr", "b1", "b2", "eps", "weight_decay")

    def made(self, h):
        return solvers.AdamW(h["lr"], h["b1"], h["b2"], h["eps"], wd=h["weight_decay"])


class AMSGrad(Adam):
    def made(self, h):
        return solvers.AMSGRAD(h["lr"], h["b1"], h["b2"], h["eps"], bias_correction=True)


class AdaBelief(Adam):
    def made(self, h):
        return solvers.AdaBelief(h["lr"], h["b1"], h["b2"], h["eps"])
