"""The Adams of TensorFlow's world: tf_keras, tf.compat.v1 and Sonnet."""

import numpy as np
import sonnet
import tensorflow as tf
import tf_keras


class Adam:
    complex = False
    flushes_subnormals = True

    def init(self, params, hyper):
        self.variables = [tf.Variable(p) for p in params]
        self.optimizer = self.made(hyper)

    def made(self, h):
        return tf_keras.optimizers.Adam(
            h["lr"], h["b1"], h["b2"], h["eps"], weight_decay=h["weight_decay"] or None, jit_compile=False
        )

    def set_lr(self, lr):
        self.optimizer.learning_rate = lr

    def step(self, grads):
        given = [None if g is None else tf.convert_to_tensor(np.array(g)) for g in grads]
        self.apply(given)
        return [v.numpy().copy() for v in self.variables]

    def apply(self, given):
        self.optimizer.apply_gradients(list(zip(given, self.variables)))


class Legacy(Adam):
    hyper = ("lr", "b1", "b2", "eps")

    def made(self, h):
        return tf_keras.optimizers.legacy.Adam(h["lr"], h["b1"], h["b2"], h["eps"])


class V1(Adam):
    hyper = ("lr", "b1", "b2", "eps")
    set_lr = None

    def made(self, h):
        return tf.compat.v1.train.AdamOptimizer(h["lr"], h["b1"], h["b2"], h["eps"])


class Sonnet(Adam):
    hyper = ("lr", "b1", "b2", "eps")
    set_lr = None

    def made(self, h):
        return sonnet.optimizers.Adam(h["lr"], h["b1"], h["b2"], h["eps"])

    def apply(self, given):
        self.optimizer.apply(given, self.variables)
