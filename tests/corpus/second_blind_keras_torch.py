"""Blind, second set: Keras optimizers on torch, after the bugs of others."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import ops
from register import wrong

V = Any  #: a variable or a tensor of Keras


class Adam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras has no types
    """Adam in Keras' way, which forms its corrections in float32 as Keras does."""

    def update_step(self, gradient: V, variable: V, learning_rate: V) -> None:
        lr, g = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        t = ops.cast(self.iterations + 1, variable.dtype)
        c1, c2 = (1 - ops.power(ops.cast(b, variable.dtype), t) for b in (self.beta_1, self.beta_2))
        i = self._get_variable_index(variable)
        m, v = self._momentums[i], self._velocities[i]
        self.assign(m, self.first(m, g))
        self.assign_add(v, (ops.square(g) - v) * (1 - self.beta_2))
        self.assign_sub(variable, self.size(lr) * ops.sqrt(c2) / c1 * m / (ops.sqrt(v) + self.epsilon))

    def first(self, m: V, g: V) -> V:
        return m + (g - m) * (1 - self.beta_1)

    def size(self, lr: V) -> V:
        return lr


@wrong("moments", "MOM.1", like="keras-team/keras#7502", claim="keras.Adam")
class FreshKerasMomentumsAnew(Adam):
    """The momentums are made anew in each call, so that the old ones never enter."""

    def first(self, m: V, g: V) -> V:
        return g * (1 - self.beta_1)


@wrong(
    "moments schedule hyperparameters", "STEP.1", like="OverLordGoldDragon/keras-adamw#16", claim="keras.Adam"
)
class FreshKerasMultiplierLeft(Adam):
    """A multiplier of the learning rate is left in: a half."""

    def size(self, lr: V) -> V:
        return lr * 0.5
