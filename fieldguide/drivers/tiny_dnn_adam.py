"""tiny_dnn::adam, compiled from Debian's headers: float32, one optimizer for all parameters."""

import ctypes
import sys

import numpy as np

library = ctypes.CDLL(f"{sys.prefix}/libtiny_dnn_adam.so")
library.adam_new.restype = ctypes.c_void_p


def address(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


class Adam:
    hyper = ("lr", "b1", "b2")
    complex = False

    def init(self, params, hyper):
        if any(p.dtype != np.float32 for p in params):
            raise NotImplementedError("float32 alone")
        self.handle = self.made(hyper)
        self.params = [np.array(p) for p in params]
        for p in self.params:
            flat = np.ascontiguousarray(p).ravel()
            library.adam_add(ctypes.c_void_p(self.handle), address(flat), flat.size)

    def made(self, h):
        return library.adam_new(ctypes.c_float(h["lr"]), ctypes.c_float(h["b1"]), ctypes.c_float(h["b2"]))

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        for i, g in enumerate(grads):
            flat = np.ascontiguousarray(np.array(g)).ravel()
            after = np.empty_like(flat)
            library.adam_step(ctypes.c_void_p(self.handle), i, address(flat), address(after), flat.size)
            self.params[i] = after.reshape(self.params[i].shape)
        return [p.copy() for p in self.params]
