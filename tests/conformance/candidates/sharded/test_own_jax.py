"""Our backends of JAX on a mesh: who runs on one.  What they do there is tested beside optax' factories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

from adamcore.conformance.candidates.own import library_for
from adamcore.conformance.candidates.sharded.own_jax import on_mesh


@pytest.mark.parametrize("target", ["jax", "jax:jit", "jax:native"])
def test_backends_of_jax_run_on_a_mesh(target: str) -> None:
    one: Any = library_for(target)
    found = on_mesh(one, "fsdp", 1)
    assert found is not None
    assert found.device == "cpu, 1 devices (fsdp)"
    assert found.elsewhere().devices.is_resumed
    assert found.rounds_alike is (target == "jax")  # operations that are compiled one by one round alike
    whole = on_mesh(one, "ddp", 1)
    assert whole is not None
    assert whole.rounds_alike
    x = found.array(np.arange(3.0, dtype=np.float32))
    assert found.numpy(x).tolist() == [0.0, 1.0, 2.0]
    params, _ = found.stepper(lambda p, s: (p + 1, s))(x, x)
    assert found.numpy(params).tolist() == [1.0, 2.0, 3.0]


def test_other_backends_do_not() -> None:
    one: Any = library_for("numpy")
    assert on_mesh(one, "fsdp", 1) is None
