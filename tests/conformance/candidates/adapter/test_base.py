"""What all adapters share: arrays in memory, and which probes a candidate can run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from candidate_probes import G0, G1, HYPER, Plain, probe

from adamcore import Adam
from adamcore.conformance import kernel
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import cast, in_carrier, same_bits
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.candidates.kernel import KernelCandidate
from adamcore.conformance.candidates.torch.tensors import as_tensor, to_numpy
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.types import Step


def test_masks_are_for_our_own_backends() -> None:
    masked = probe(Step((G0, G1), present=(np.array([True, False]), True)))
    assert ArrayCandidate(Plain, {}).run(masked, "float32").unsupported == "it has no masks of presence"


@pytest.mark.parametrize("layout", ["C", "F", "strided", "readonly"])
def test_layouts(layout: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    made = cast(x, "float32", layout)
    np.testing.assert_array_equal(made, x)
    assert made.flags.c_contiguous == (layout in ("C", "readonly"))
    assert made.flags.writeable == (layout != "readonly")


@pytest.mark.parametrize("layout", ["C", "F", "strided", "offset", "reversed", "broadcast", "readonly"])
def test_arrays_of_bfloat16(layout: Any) -> None:
    pytest.importorskip("ml_dtypes")
    values = np.array([[1.0, 1 / 3], [-2.5, 0.0]])
    made = cast(values, "bfloat16", layout)
    rounded = round_to(values[:1].repeat(2, 0) if layout == "broadcast" else values, "bfloat16")
    assert made.dtype.name == "bfloat16"
    assert (in_carrier(made) == rounded).all()
    assert in_carrier(made).dtype == np.float32
    torch = pytest.importorskip("torch")
    if layout != "reversed":
        tensor = as_tensor(made, "cpu")
        assert tensor.dtype is torch.bfloat16
        assert same_bits(to_numpy(tensor), np.array(made))


class KeepsMoments(Plain):
    """It returns its parameters as they were, and shows the moments of one step."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        given = [g for g in grads if g is not None]
        self.state = {"m": [g / 2 for g in given], "v": [g * g / 4 for g in given]}
        return self.p

    def get_state(self) -> dict[str, Any]:
        return self.state


def writes_moments(
    p: Any, g: Any, m: Any, v: Any, t: int, lr: float, b1: float, b2: float, eps: float
) -> None:
    m += (g / 2).astype(m.dtype)
    v += (g * g / 4).astype(v.dtype)
    p -= (lr * g).astype(p.dtype)


def kernel_candidate() -> KernelCandidate:
    return KernelCandidate(kernel(writes_moments, dtypes=("float32", "bfloat16"), arrays="numpy"), {}, None)


MADE = {"class": lambda: ArrayCandidate(KeepsMoments, {}), "kernel": kernel_candidate}


@pytest.mark.parametrize("target", ["numpy", "torch", "jax", "torch.optim:AdamW", "optax:adam", *MADE])
def test_moments_in_16_bits_are_read_from_the_state(target: str) -> None:
    """Those of each parameter after the first step, with b1 = 1/2 and b2 = 3/4."""
    pytest.importorskip("ml_dtypes")
    if target in MADE:
        candidate: Any = MADE[target]()
    else:
        pytest.importorskip(target.partition(":")[0])
        [candidate] = load_candidates(target, [None if ":" in target else Adam()], {}, None)
    plain = probe(Step((G0, G1)), hyper={**HYPER, "weight_decay": 0.0, "eps_root": 0.0})
    run = candidate.run(plain, "bfloat16")
    assert (run.error, run.unsupported) == (None, None)
    [kept] = run.moments
    for moments, g in zip(kept, (G0, G1), strict=True):
        assert moments is not None
        np.testing.assert_array_equal(moments.m, (g / 2).astype(np.float32))
        np.testing.assert_array_equal(moments.v, (g * g / 4).astype(np.float32))
        assert moments.m.dtype == np.float32
    assert candidate.run(plain, "float32").moments == []
