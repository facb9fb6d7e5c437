"""Coefficients from a clock that only the program knows keep the bound of NUM.4, on every processor.

They rest on PyTorch's ``expm1``, which is MKL's, SLEEF's or the C library's and has no fixed bits: the bound
is what holds.  A clock has no dimensions; of vectors Inductor forms ``exp(x) - 1``, which would not keep it.
"""

from __future__ import annotations

import math
import shutil
from decimal import Decimal, localcontext
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from adamcore.backends.torch.backend import backend  # noqa: E402
from adamcore.coefficients import MAX_CLOCK  # noqa: E402

BOUND = 3.0  #: ULP, of docs/spec.md
CLOCKS = [*range(1, 40), 100, 693, 1000, 6931, 12_345, 10**5, 10**6, 10**8, MAX_CLOCK]


def exact(b: float, t: int) -> Decimal:
    with localcontext(prec=60):
        return 1 - Decimal(b) ** t


@pytest.mark.filterwarnings("ignore")  # of what PyTorch's compiler loads
@pytest.mark.parametrize(
    "how",
    [
        "eager",
        pytest.param(
            "inductor",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("b", [0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1 - 2**-20])
def test_complement_of_a_power(b: float, how: str) -> None:
    def complements(t: Any) -> Any:
        return backend.numbers(t).complement_power(b, t)

    if how == "inductor":
        torch._dynamo.reset()
        complements = torch.compile(complements, fullgraph=True)
    for t in CLOCKS:
        got, want = complements(torch.tensor(t, dtype=torch.int32)).item(), exact(b, t)
        with localcontext(prec=60):
            assert abs(Decimal(got) - want) <= Decimal(BOUND) * Decimal(math.ulp(float(want)))
