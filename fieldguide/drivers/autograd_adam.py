"""autograd.misc.optimizers.adam, which runs a loop of its own: it waits in its gradient function."""

import queue
import threading

import numpy as np
from autograd.misc.optimizers import adam


class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    complex = False

    def init(self, params, hyper):
        self.given, self.asked = queue.Queue(), queue.Queue()
        start = [np.array(p) for p in params]
        keywords = {"step_size": hyper["lr"], "b1": hyper["b1"], "b2": hyper["b2"], "eps": hyper["eps"]}

        def gradient(x, i):
            self.asked.put([np.array(each) for each in x])
            return self.given.get()

        def loop():
            adam(gradient, start, num_iters=10**9, **keywords)

        threading.Thread(target=loop, daemon=True).start()
        self.asked.get()

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.given.put([np.array(g) for g in grads])
        return self.asked.get()
