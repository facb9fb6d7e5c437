"""qiskit_algorithms.optimizers.ADAM, which runs a loop of its own over one vector of float64."""

import queue
import threading

import numpy as np
from qiskit_algorithms.optimizers import ADAM


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def __init__(self, amsgrad=False):
        self.amsgrad = amsgrad

    def init(self, params, hyper):
        if len({p.dtype for p in params}) > 1:
            raise NotImplementedError("one vector, of one dtype")
        self.given, self.asked = queue.Queue(), queue.Queue()
        self.shapes, self.dtype = [p.shape for p in params], params[0].dtype
        start = np.concatenate([np.array(p).ravel() for p in params])
        made = ADAM(
            maxiter=10**9,
            tol=-1.0,
            lr=hyper["lr"],
            beta_1=hyper["b1"],
            beta_2=hyper["b2"],
            noise_factor=hyper["eps"],
            amsgrad=self.amsgrad,
        )

        def gradient(x):
            self.asked.put(np.array(x))
            return self.given.get()

        def loop():
            made.minimize(lambda x: 0.0, start, jac=gradient)

        threading.Thread(target=loop, daemon=True).start()
        self.asked.get()

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.given.put(np.concatenate([np.array(g).ravel() for g in grads]))
        flat, after = self.asked.get(), []
        for shape in self.shapes:
            size = int(np.prod(shape))
            after.append(flat[:size].reshape(shape).astype(self.dtype))
            flat = flat[size:]
        return after
