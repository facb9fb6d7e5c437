"""Coefficients, and arithmetic, in less than the working precision."""

from __future__ import annotations

import math

import numpy as np
from adams import Adam, AdamW, Uncorrected
from flat import A, F
from register import wrong
from unsaved import Unsaved


@wrong("coefficients", "NUM.4", like="optax.adam, held to double")
class PowerInFloat32(AdamW):
    """1-b**t formed in float32."""

    def correction(self, t: int) -> tuple[F, F]:
        f = np.float32
        return float(1 - f(self.b1) ** f(t)), float(1 - f(self.b2) ** f(t))


@wrong("coefficients", "NUM.4", like="deepspeed#7819")
class ProductInFloat32(Unsaved):
    """b**t as a running product in float32."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.product = [(np.float32(1), np.float32(1)) for _ in params]

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        a, b = self.product[i]
        self.product[i] = a * np.float32(self.b1), b * np.float32(self.b2)
        return m / float(1 - self.product[i][0]) * math.sqrt(1 - self.product[i][1])

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v) + self.eps * math.sqrt(c2)


@wrong("coefficients", "NUM.4", like="tt-metal#55935")
class PowerInFloat16(Adam):
    """1-b**t formed in float16."""

    def correction(self, t: int) -> tuple[F, F]:
        f = np.float16
        return float(1 - f(self.b1) ** f(t)), float(1 - f(self.b2) ** f(t))


@wrong("coefficients", "NUM.4", like="autocast around the correction")
class CorrectionRoundedToFloat16(AdamW):
    """1-b**t formed in double and stored in float16."""

    def correction(self, t: int) -> tuple[F, F]:
        c1, c2 = super().correction(t)
        return float(np.float16(c1)), float(np.float16(c2))


@wrong("coefficients", "NUM.4", like="keras#17391")
class WeightInFloat16(AdamW):
    """1-b formed in float16 for the moments."""

    def first(self, m: A, g: A) -> A:
        return self.b1 * m + float(1 - np.float16(self.b1)) * g

    def square(self, i: int, g: A) -> A:
        return float(1 - np.float16(self.b2)) * g * g


@wrong("coefficients", "NUM.4")
class WeightInFloat32(Uncorrected):
    """1-b formed in float32, whatever the dtype."""

    def first(self, m: A, g: A) -> A:
        return self.b1 * m + float(1 - np.float32(self.b1)) * g

    def square(self, i: int, g: A) -> A:
        return float(1 - np.float32(self.b2)) * g * g


@wrong("mixed_precision moments", "MOM.4", like="torch loading float32 moments beside bfloat16 parameters")
class MomentsInFloat16(AdamW):
    """m and v kept in float16."""

    def first(self, m: A, g: A) -> A:
        return super().first(m, g).astype(np.float16).astype(m.dtype)

    def second(self, v: A, square: A) -> A:
        return super().second(v, square).astype(np.float16).astype(v.dtype)


@wrong("mixed_precision moments", "MOM.4", like="bitsandbytes, 8-bit states")
class SecondMomentInBytes(AdamW):
    """v kept in 8 bits between 0 and its largest element."""

    def second(self, v: A, square: A) -> A:
        v = super().second(v, square)
        scale = np.max(v, initial=1e-30)
        levels: A = np.round(v / scale * 255)
        kept: A = levels / 255 * scale
        return kept.astype(v.dtype)


@wrong("mixed_precision", "NUM.1", like="torch.autocast around step()")
class ArithmeticInFloat16(AdamW):
    """The quotient formed in float16."""

    def denominator(self, v: A, c2: F) -> A:
        return super().denominator(v, c2).astype(np.float16).astype(v.dtype)


@wrong("mixed_precision", "NUM.1")
class ArithmeticInFloat32(AdamW):
    """float64 parameters stepped in float32."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return (m / c1).astype(np.float32).astype(m.dtype)


@wrong("mixed_precision", "NUM.1", like="truncating stores of a bfloat16 kernel")
class ParametersInBfloat16(AdamW):
    """p rounded towards zero to bfloat16 after each step."""

    def apply(self, i: int, p: A, u: A) -> A:
        p = super().apply(i, p, u)
        return (p.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32).astype(p.dtype)


@wrong("mixed_precision moments", "NUM.1", like="rsqrt approximations of GPUs")
class FastReciprocalRoot(AdamW):
    """1/sqrt by bit tricks and one Newton step: right to 2e-3."""

    def denominator(self, v: A, c2: F) -> A:
        x = (v / c2).astype(np.float32)
        y = (0x5F3759DF - (x.view(np.int32) >> 1)).astype(np.int32).view(np.float32)
        y = y * (1.5 - 0.5 * x * y * y)
        return (x * y).astype(v.dtype) + self.eps
