"""Clocks that tick too often, too seldom, for the wrong array, or in too small a type."""

from __future__ import annotations

from typing import Any, ClassVar

from adams import Adam, AdamW, Apex, Keras, NAdam, SharedClock
from flat import A, F
from register import wrong
from unsaved import Unsaved


@wrong("clock", "CLK.1", like="mlx-node#11")
class ClockTicksPerArray(AdamW):
    """One clock for all, ticking once for each array: t is 1, 2, 3 within the first step."""

    calls = 0

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.calls = 0

    def time(self, i: int) -> int:
        self.calls += 1
        return self.calls


@wrong("clock", "CLK.1", like="tiny-dnn's adam")
class ClockTicksPerArrayFromOne(ClockTicksPerArray):
    """One clock for all, from 1 on, ticking before each array: t is 2, 3, 4 within the first step."""

    def time(self, i: int) -> int:
        return super().time(i) + 1


@wrong("clock", "CLK.1", like="keras-style clock in a torch-style Adam")
class ClockGlobal(SharedClock, AdamW):
    """One clock for all where each array should have its own."""


@wrong("clock", "F1", like="chainer.Adam")
class ClockTicksWhileAbsent(Adam):
    """An absent gradient leaves everything alone but the clock."""

    def absent(self, i: int) -> None:
        self.t[i] += 1


@wrong("clock", "CLK.1")
class ClockOwn(Apex):
    """A clock for each array where the claim is one for the group."""

    def advance(self, grads: list[A | None]) -> None:
        Adam.advance(self, grads)


@wrong("clock", "CLK.1")
class ClockOwnKeras(Keras):
    """A clock for each array where the claim is one for all."""

    def advance(self, grads: list[A | None]) -> None:
        if all(g is None for g in grads):
            raise ValueError("no gradients")
        Adam.advance(self, grads)


@wrong("clock", "CLK.1")
class ClockLargest(AdamW):
    """The largest of all clocks serves every array."""

    def time(self, i: int) -> int:
        return max(self.t)


@wrong("clock", "CLK.1", like="deepspeed#8471")
class ClockOfLastPresent(AdamW):
    """The last present array's clock serves all in that step."""

    def advance(self, grads: list[A | None]) -> None:
        super().advance(grads)
        present = [i for i, g in enumerate(grads) if g is not None]
        self.now = self.t[present[-1]] if present else 0

    def time(self, i: int) -> int:
        return self.now


@wrong("clock", "CLK.1")
class ClockOfFirstArray(AdamW):
    """The first array's clock serves all."""

    def time(self, i: int) -> int:
        return max(self.t[0], 1)


@wrong("clock", "CLK.1", like="thinc's nr_update held by name")
class ClockByShape(Unsaved):
    """Arrays of one shape share a clock that each of them ticks."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.by_shape: dict[Any, int] = {}

    def time(self, i: int) -> int:
        key = self.shapes[i]
        self.by_shape[key] = self.by_shape.get(key, 0) + 1
        return self.by_shape[key]


@wrong("clock bias_correction", "CLK.3", like="ao#4915")
class ClockInBfloat16(AdamW):
    """A counter in bfloat16, which stops at 256."""

    def time(self, i: int) -> int:
        return min(self.t[i], 256)


@wrong("clock bias_correction", "CLK.3", like="torch's float32 step")
class ClockInFloat32(AdamW):
    """A counter in float32, which stops at 2**24."""

    def time(self, i: int) -> int:
        return min(self.t[i], 2**24)


@wrong("clock bias_correction", "CLK.3", like="flax_legacy.Adam with float16 parameters")
class ClockInFloat16(Adam):
    """A counter in float16, which stops at 2048."""

    def time(self, i: int) -> int:
        return min(self.t[i], 2048)


@wrong("clock bias_correction", "CLK.3")
class ClockInByte(AdamW):
    """A counter in uint8, which wraps to 0 at 256."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(t % 256)


@wrong("clock bias_correction", "CLK.3")
class ClockInSignedByte(AdamW):
    """A counter in int8, which wraps to -128 at 128."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction((t + 128) % 256 - 128)


@wrong("clock", "CLK.3")
class ClockInSixteenBits(AdamW):
    """A counter in int16, which wraps at 32768."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction((t + 32768) % 65536 - 32768)


@wrong("clock bias_correction", "CLK.2", like="gradient accumulation of two micro-steps")
class ClockTicksTwice(AdamW):
    """Two ticks a step: t is 2, 4, 6."""

    def time(self, i: int) -> int:
        return 2 * self.t[i]


@wrong("clock bias_correction", "CLK.2")
class ClockTicksEveryOther(AdamW):
    """One tick in two steps: t is 1, 1, 2, 2."""

    def time(self, i: int) -> int:
        return (self.t[i] + 1) // 2


@wrong("clock bias_correction", "CLK.2")
class ClockRestarts(AdamW):
    """The clock starts again every 100 steps, the moments do not."""

    def time(self, i: int) -> int:
        return (self.t[i] - 1) % 100 + 1


@wrong("clock", "CLK.1")
class ClockOfMomentumSchedule(NAdam):
    """The momentum schedule follows the number of steps, the corrections each array's clock."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.calls = 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.calls = max(self.t)

    def advance(self, grads: list[A | None]) -> None:
        super().advance(grads)
        self.calls += 1

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        mu, after = self.mu_of(self.calls), self.mu_of(self.calls + 1)
        self.mu[i] *= mu
        return after / (1 - self.mu[i] * after) * m + (1 - mu) / (1 - self.mu[i]) * g


@wrong("all_missing clock", "CLK.4", like="deepspeed.FusedAdam")
class ClockHeldWhenAllAbsent(Apex):
    """A global clock that waits where nobody has a gradient and should tick."""

    def advance(self, grads: list[A | None]) -> None:
        if any(g is not None for g in grads):
            super().advance(grads)


@wrong("all_missing", "CLK.4", like="apex.FusedAdam")
class ClockTicksWhenAllAbsent(Keras):
    """A step over no gradient at all ticks, where it should be refused."""

    def advance(self, grads: list[A | None]) -> None:
        SharedClock.advance(self, grads)


@wrong("isolation clock", "STATE.3", like="RAdam#36")
class ClockOfClass(Unsaved):
    """The counter lives on the class: every optimizer ticks it."""

    total: ClassVar[int] = 0

    def advance(self, grads: list[A | None]) -> None:
        type(self).total += 1
        self.t[:] = [type(self).total for _ in grads]


@wrong("isolation", "STATE.3", like="RAdam#36")
class CorrectionCached(AdamW):
    """Corrections kept in a table by t alone, for all optimizers and whatever their betas."""

    table: ClassVar[dict[int, tuple[F, F]]] = {}

    def correction(self, t: int) -> tuple[F, F]:
        return self.table.setdefault(t, super().correction(t))


@wrong("clock bias_correction", "CLK.3")
class ClockHalfPrecisionPower(AdamW):
    """t itself rounded to three significant bits."""

    def time(self, i: int) -> int:
        dropped = max(self.t[i].bit_length() - 3, 0)
        return self.t[i] >> dropped << dropped
