"""Wrong Adams with parameters of 16 bits: what is rounded that should not be, or otherwise than it should."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from flat import A, F
from register import wrong
from sixteen import Sixteen, f32, to_zero


@wrong("coefficients hyperparameters", "NUM.4", like="tenstorrent/tt-metal#55935")
class BetasIn16(Sixteen):
    """b1 and b2 are handed over in bfloat16, where 0.999 is 1."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        near = [float(np.asarray(b).astype(self.narrow)) for b in (self.b1, self.b2)]
        self.b1, self.b2 = (
            b if kept >= 1 else kept for b, kept in zip((self.b1, self.b2), near, strict=True)
        )


@wrong("coefficients hyperparameters", "NUM.4")
class SecondBetaIn16(Sixteen):
    """b2 is rounded to bfloat16, if that is not 1."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        near = float(np.asarray(self.b2).astype(self.narrow))
        self.b2 = near if near < 1 else self.b2


@wrong("clock", "CLK.3", like="pytorch/ao#4915")
class ClockIn16(Sixteen):
    """The clock is kept in bfloat16, and stops at 256."""

    def time(self, i: int) -> int:
        return min(int(self.t[i]), 256)


@wrong("clock", "CLK.3", like="deepspeedai/DeepSpeed#8496")
class ClockInHalf(Sixteen):
    """The clock is kept in float16, and stops at 2048."""

    dtypes = ("float16",)

    def time(self, i: int) -> int:
        return min(int(self.t[i]), 2048)


@wrong("epsilon", "EPS.1", like="google-deepmind/optax#1754")
class EpsInHalf(Sixteen):
    """eps is rounded to float16, where 1e-8 is 0."""

    dtypes = ("float16",)

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.eps = float(np.float16(self.eps))


@wrong("epsilon", "EPS.1", like="pytorch/pytorch#147437")
class EpsInBrain(Sixteen):
    """eps is rounded to bfloat16."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.eps = float(np.asarray(self.eps).astype(self.narrow))


@wrong("schedule hyperparameters", "LR.1")
class RateIn16(Sixteen):
    """lr is rounded to bfloat16."""

    def set_lr(self, lr: F) -> None:
        self.lr = float(np.asarray(lr).astype(self.narrow))

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.set_lr(hyper["lr"])


@wrong("mixed_precision moments", "NUM.1", like="glide-finetune#5")
class SquareInHalf(Sixteen):
    """The gradient is squared in float16, where small squares are 0 and large ones infinite."""

    dtypes = ("float16",)

    def second(self, v: A, g: A) -> A:
        square = (g.astype(np.float16) * g.astype(np.float16)).astype(f32)
        return f32(self.b2) * v + f32(1 - self.b2) * square


@wrong("mixed_precision moments", "NUM.1")
class SquareInBrain(Sixteen):
    """The gradient is squared in bfloat16."""

    def second(self, v: A, g: A) -> A:
        return f32(self.b2) * v + f32(1 - self.b2) * (g * g).astype(self.narrow).astype(f32)


@wrong("bias_correction coefficients", "BC.1")
class CorrectionIn16(Sixteen):
    """1-b**t is rounded to bfloat16."""

    def correction(self, t: int) -> tuple[F, F]:
        return tuple(float(np.asarray(c).astype(self.narrow)) for c in super().correction(t))  # type: ignore[return-value]


@wrong("bias_correction coefficients", "BC.1", like="tenstorrent/tt-metal#55935")
class PowerIn16(Sixteen):
    """b**t is formed of a bfloat16 b, and 1-b**t rounded once more."""

    def correction(self, t: int) -> tuple[F, F]:
        def narrow(x: F) -> F:
            return float(np.asarray(x).astype(self.narrow))

        found = [narrow(1 - narrow(narrow(b) ** narrow(t))) for b in (self.b1, self.b2)]
        exact = super().correction(t)
        return tuple(c or e for c, e in zip(found, exact, strict=True))  # type: ignore[return-value]


@wrong("mixed_precision", "NUM.1")
class RootIn16(Sixteen):
    """The root is drawn in bfloat16."""

    def denominator(self, v: A, c2: F) -> A:
        root = np.sqrt(v / f32(c2)).astype(self.narrow)
        return root.astype(f32) + f32(self.eps)


@wrong("mixed_precision", "NUM.1")
class DenominatorIn16(Sixteen):
    """The denominator, eps included, is formed in bfloat16."""

    def denominator(self, v: A, c2: F) -> A:
        return super().denominator(v, c2).astype(self.narrow).astype(f32)


@wrong("mixed_precision", "NUM.1")
class QuotientIn16(Sixteen):
    """The step is rounded to bfloat16 before it is multiplied by lr."""

    def quotient(self, m: A, v: A, c1: F, c2: F) -> A:
        return super().quotient(m, v, c1, c2).astype(self.narrow).astype(f32)


@wrong("mixed_precision", "NUM.1", like="optax' updates, which have the dtype of the parameter")
class UpdateIn16(Sixteen):
    """What is added to p, decay included, is rounded to bfloat16 first."""

    def apply(self, x: A, u: A) -> A:
        change = (-f32(self.lr) * (u + f32(self.wd) * x)).astype(self.narrow)
        return x + change.astype(f32)


@wrong("decay mixed_precision", "DEC.2", like="Nerogar/OneTrainer#996")
class DecayIn16(Sixteen):
    """p is multiplied by 1-lr*wd in bfloat16."""

    def apply(self, x: A, u: A) -> A:
        factor = np.asarray(1 - self.lr * self.wd).astype(self.narrow)
        return (x.astype(self.narrow) * factor).astype(self.narrow).astype(f32) - f32(self.lr) * u


@wrong("mixed_precision", "NUM.1", like="PyTorch's for-loop")
class EverythingIn16(Sixteen):
    """Every operation is rounded to bfloat16."""

    def narrowed(self, x: Any) -> Any:
        return np.asarray(x).astype(self.narrow).astype(f32)

    def first(self, m: A, g: A) -> A:
        n = self.narrowed
        return n(n(f32(self.b1) * m) + n(f32(1 - self.b1) * g))

    def second(self, v: A, g: A) -> A:
        n = self.narrowed
        return n(n(f32(self.b2) * v) + n(n(f32(1 - self.b2) * g) * g))

    def quotient(self, m: A, v: A, c1: F, c2: F) -> A:
        n = self.narrowed
        root = n(n(np.sqrt(v)) / f32(math.sqrt(c2)))
        return n(n(m / n(root + f32(self.eps))) / f32(c1))

    def apply(self, x: A, u: A) -> A:
        n = self.narrowed
        return n(n(x * f32(1 - self.lr * self.wd)) - n(f32(self.lr) * u))


@wrong("mixed_precision", "NUM.1", like="NVIDIA/apex#1842")
class ParameterCutOff(Sixteen):
    """p is rounded towards 0: the upper half of its bits is kept."""

    def store(self, i: int, x: A) -> None:
        self.p[i] = to_zero(x, self.narrow)


@wrong("mixed_precision", "NUM.1")
class ParameterCutOffInHalf(ParameterCutOff):
    """p is rounded towards 0 in float16."""

    dtypes = ("float16",)


@wrong("mixed_precision moments", "MOM.4")
class MomentsCutOff(Sixteen):
    """Both moments are rounded towards 0."""

    def keep_first(self, m: A) -> A:
        return to_zero(m, self.narrow)

    def keep_second(self, v: A) -> A:
        return self.keep_first(v)


@wrong("mixed_precision moments", "MOM.4")
class SecondCutOff(Sixteen):
    """v is rounded towards 0, so that it falls behind."""

    def keep_second(self, v: A) -> A:
        return to_zero(v, self.narrow)


@wrong("mixed_precision moments", "MOM.4", like="pytorch/torchtitan#4615")
class MomentsInSingle(Sixteen):
    """The moments are kept in float32 where the claim keeps them in the parameter's dtype."""

    def keep_first(self, m: A) -> A:
        return m

    def keep_second(self, v: A) -> A:
        return self.keep_first(v)


@wrong("mixed_precision moments", "NUM.1")
class MomentsRoundedFirst(Sixteen):
    """The moments are rounded before they are used."""

    def first(self, m: A, g: A) -> A:
        return super().first(m, g).astype(self.narrow).astype(f32)

    def second(self, v: A, g: A) -> A:
        return super().second(v, g).astype(self.narrow).astype(f32)


@wrong("mixed_precision moments", "MOM.4")
class MomentsInHalf(Sixteen):
    """Beside bfloat16 parameters the moments are kept in float16, where a small v is 0."""

    def keep_first(self, m: A) -> A:
        return m.astype(np.float16)

    def keep_second(self, v: A) -> A:
        return self.keep_first(v)


@wrong("state", "STATE.4", like="pytorch/pytorch#43706")
class MomentsNarrowedOnLoad(Sixteen):
    """The moments are loaded by way of another format, with fewer bits."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.m, self.v = (
            [(np.round(a.astype(f32) * 64) / 64).astype(self.narrow) for a in arrays]
            for arrays in (self.m, self.v)
        )


@wrong("state clock", "STATE.4", like="deepspeedai/DeepSpeed#7786")
class ClockLostOnLoad(Sixteen):
    """The clock begins anew where a state is loaded."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.t = [0 for _ in self.t]
