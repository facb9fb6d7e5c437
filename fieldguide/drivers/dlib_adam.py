"""dlib::adam, compiled from Debian's headers: float32, a solver for each parameter."""

import ctypes
import sys

import numpy as np

library = ctypes.CDLL(f"{sys.prefix}/libdlib_adam.so")
library.adam_new.restype = ctypes.c_void_p


def address(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


class Adam:
    hyper = ("lr", "b1", "b2", "weight_decay")
    complex = False

    def init(self, params, hyper):
        if any(p.dtype != np.float32 or p.size == 0 for p in params):
            raise NotImplementedError("float32 alone, and no empty parameters")
        values = (hyper["lr"], hyper["b1"], hyper["b2"], hyper["weight_decay"])
        self.handle = ctypes.c_void_p(library.adam_new(*map(ctypes.c_float, values)))
        self.params = [np.array(p) for p in params]
        for p in self.params:
            flat = np.ascontiguousarray(p).ravel()
            library.adam_add(self.handle, address(flat), flat.size)

    def set_lr(self, lr):
        library.adam_lr(self.handle, ctypes.c_float(lr))

    def step(self, grads):
        for i, g in enumerate(grads):
            if g is not None:
                flat = np.ascontiguousarray(np.array(g)).ravel()
                after = np.empty_like(flat)
                library.adam_step(self.handle, i, address(flat), address(after), flat.size)
                self.params[i] = after.reshape(self.params[i].shape)
        return [p.copy() for p in self.params]
