"""The steps that are timed in JAX, and what is counted in a compiled program."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

from jax_steps import packed_alone

from adamcore.conformance.bench import steps_jax
from adamcore.conformance.bench.step import Step

PROGRAM = """
HloModule jit_step
%body { ROOT %x = f32[8]{0} fusion(%a), kind=kLoop }
ENTRY %main {
  %p = f32[8]{0} parameter(0)
  %t = s32[] fusion(%p), kind=kLoop
  %a = f32[8]{0} fusion(%p), kind=kLoop
  %b = (f32[8]{0}, f32[8]{0}) custom-call(%a), custom_call_target="adamcore"
}
"""


def test_passes_are_fusions_and_custom_calls_over_arrays() -> None:
    assert steps_jax.count_passes(PROGRAM) == 2


def test_a_step_under_jit_compiles_once_and_knows_its_traffic() -> None:
    step = steps_jax.optax_jit(((64,),))
    step()
    step()
    assert step.set_lr is not None
    step.set_lr(0.5)
    step()
    assert step.compilations is not None
    assert step.compilations() == 1
    assert step.bytes is not None
    assert step.bytes >= 28 * 64
    assert step.passes is not None
    assert step.passes >= 1


def test_all_parameters_are_one_vector() -> None:
    assert steps_jax.flat(((3, 2), (5,)), 0).shape == (11,)


@pytest.mark.parametrize("make", [steps_jax.packed_donated, steps_jax.packed_native_jit])
def test_a_packed_state_stays_packed_and_compiles_once(make: Callable[..., Step]) -> None:
    pytest.importorskip("llvmlite")
    with packed_alone():
        step = make(((3, 2), (5,), ()))
        for _ in range(3):
            step()
    assert step.compilations is not None
    assert step.compilations() == 1
