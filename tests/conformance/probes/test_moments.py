"""The probes of the moments fail Adams with one that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from array_adam import Good, judged

from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.moments import SHAPES


class Remembers(Good):
    """Does not let b1 or b2 fall below 0.05."""

    def init(self, params: list[Any], hyper: dict[str, float]) -> None:
        super().init(params, {k: max(h, 0.05) if k in ("b1", "b2") else h for k, h in hyper.items()})


class SlowDrift(Good):
    """Lets v grow by a hundred-thousandth in each step."""

    def step(self, grads: list[Any]) -> list[Any]:
        self.v = [np.asarray(v * v.dtype.type(1 + 1e-5)) for v in self.v]
        return super().step(grads)


class NoScalars(Good):
    """Leaves 0-d arrays alone."""

    def step(self, grads: list[Any]) -> list[Any]:
        return super().step([None if g is not None and not g.ndim else g for g in grads])


class NoFilters(Good):
    """Leaves arrays of four dimensions alone."""

    def step(self, grads: list[Any]) -> list[Any]:
        return super().step([None if g is not None and g.ndim > 3 else g for g in grads])


@pytest.mark.parametrize("name", ["MOM.1/common", "MOM.2/long", "MOM.3/constant", "STEP.1/shapes"])
def test_a_right_adam_passes(name: str) -> None:
    assert judged(Good, name)[2].status == "passed"


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (Remembers, "MOM.1/b1-zero"),
        (Remembers, "MOM.2/b2-zero"),
        (SlowDrift, "MOM.2/long"),
        (NoScalars, "STEP.1/shapes"),
        (NoFilters, "STEP.1/shapes"),
    ],
)
def test_a_wrong_moment_fails(cls: type, name: str) -> None:
    assert judged(cls, name)[2].status == "failed"


def test_the_shapes_are_around_the_widths_of_vectors() -> None:
    sizes = {int(np.prod(shape)) for shape in SHAPES}
    assert {0, 1} | {w + k for w in (4, 8, 16) for k in (-1, 0, 1)} <= sizes
    assert [np.shape(p) for p in PROBES["STEP.1/shapes"].params] == list(SHAPES)
