"""torch::optim::Adam and AdamW of libtorch, compiled from the headers of the wheel."""

import ctypes
import sys

import numpy as np

library = ctypes.CDLL(f"{sys.prefix}/liblibtorch_adam.so")
library.run_new.restype = ctypes.c_void_p


def address(array):
    return ctypes.c_void_p(array.ctypes.data)


class Adam:
    decoupled = False
    complex = False

    def init(self, params, hyper):
        self.handle = ctypes.c_void_p(library.run_new())
        self.params = [np.array(p) for p in params]
        for p in self.params:
            flat = np.ascontiguousarray(p).ravel()
            library.run_add(self.handle, address(flat), flat.size, flat.dtype == np.float64)
        names = ("lr", "b1", "b2", "eps", "weight_decay")
        library.run_make(self.handle, self.decoupled, *(ctypes.c_double(hyper[name]) for name in names))

    def set_lr(self, lr):
        library.run_set_lr(self.handle, ctypes.c_double(lr))

    def step(self, grads):
        for i, g in enumerate(grads):
            flat = None if g is None else np.ascontiguousarray(np.array(g)).ravel()
            where = None if flat is None else address(flat)
            library.run_gradient(
                self.handle, i, where, self.params[i].size, self.params[i].dtype == np.float64
            )
        library.run_step(self.handle)
        for i, p in enumerate(self.params):
            after = np.empty(p.size, p.dtype)
            library.run_read(self.handle, i, address(after))
            self.params[i] = after.reshape(p.shape)
        return [p.copy() for p in self.params]

    def __del__(self):
        if hasattr(self, "handle"):
            library.run_delete(self.handle)


class AdamW(Adam):
    decoupled = True
