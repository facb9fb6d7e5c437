"""The kernel that advances clocks on the device and forms coefficients from them."""

from __future__ import annotations

from dataclasses import replace

from cuda_texts import DOUBLE, FLOAT, tickings
from fast import adams

from adamcore.backends.kernels.cuda import kernel as cuda
from adamcore.backends.kernels.cuda.coefficients import ClockKernel
from adamcore.backends.kernels.cuda.table import SMALL


def test_new_hyperparameters_compile_nothing() -> None:
    for adam in adams(100):
        other = replace(
            adam,
            b1=adam.b1 and 0.7,
            b2=adam.b2 and 0.8,
            eps=adam.eps and 1e-5,
            weight_decay=adam.weight_decay and 0.2,
        )
        if (adam.b1 < 0.5) != (other.b1 < 0.5) or (adam.b2 < 0.5) != (other.b2 < 0.5):
            continue
        one, two = ClockKernel(adam), ClockKernel(other)
        assert one.text("float32", SMALL) == two.text("float32", SMALL)
        assert one.program is two.program


def test_the_kernel_that_ticks_has_the_rows_of_the_one_that_updates() -> None:
    for ticking in tickings().values():
        for kinds in (FLOAT, DOUBLE):
            row = cuda.row(ticking.program, kinds.work)
            assert row in ticking.text(kinds.work, SMALL)
            assert row in cuda.text(ticking.program, kinds, True, SMALL)
