"""Which numbers make one Adam of another: each answer is run, by the oracle and by the real libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.compare.compare import (
    adam_of_row,
    arguments_of,
    compare,
    designed_run,
    gap_series,
    nearest_match,
)
from adamcore.conformance.compare.rewrites import Proposal
from adamcore.conformance.oracle.sharing import SAME_WITHOUT_CHANGES
from adamcore.dialects import dialect

STEPS = 12


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("torch.AdamW", "optax.adamw", "identical"),
        ("torch.Adam", "torch.AdamW", "identical"),  # at weight_decay=0
        ("keras.AdamW", "tf_keras.Adam", "identical"),
        ("keras.Adam", "torch-1.2.Adam", "identical"),
        ("mlx.AdamW", "torch.AdamW", "different"),  # its gradients' eps
        ("torch.AdamW", "mlx.AdamW", "identical"),  # with bias_correction=True
        ("torch.AdamW", "paper.AdamW", "exact"),  # weight_decay times lr
        ("tfa.AdamW", "keras.AdamW", "exact"),
        ("transformers4.AdamW", "keras.AdamW", "identical"),  # at its weight_decay=0
        ("keras.AdamW", "transformers4.AdamW", "exact"),  # decay before, made one after
        ("bitsandbytes-cuda.AdamW", "torch.AdamW", "exact"),
        ("torch.Adam", "keras.Adam", "different"),
        ("torch.NAdam", "optax.nadam", "different"),
        ("torch.AdamW", "optax.adam", "different"),  # nowhere to put the decay
    ],
)
def test_verdicts(first: str, second: str, verdict: str) -> None:
    a = adam_of_row(dialect(first), lr=0.1)
    found = nearest_match(a, dialect(second), STEPS)
    assert found.verdict == verdict, (found.changes, max(found.gaps))
    assert len(found.gaps) == STEPS
    assert bool(found.lacking) == (verdict in ("approximate", "different"))


def test_the_proof_holds_in_the_real_libraries() -> None:
    """What `match` says of transformers' order of decay, run with torch.optim and by hand in optax."""
    torch, optax, jax = (pytest.importorskip(name) for name in ("torch", "optax", "jax"))
    a = Adam.like("transformers4.AdamW", lr=0.125, weight_decay=0.5, eps=1e-3)  # decay after
    found = nearest_match(a, dialect("keras.AdamW"), STEPS)
    assert found.verdict == "exact"
    torch_like = adam_of_row(dialect("torch.AdamW"), lr=0.125, weight_decay=0.5)
    port_to = nearest_match(torch_like, dialect("optax.adamw"), STEPS)
    p0, grads = designed_run(STEPS)
    w = torch.nn.Parameter(torch.tensor(p0))
    optimizer = torch.optim.AdamW([w], **arguments_of(torch_like, dialect("torch.AdamW")))
    with jax.enable_x64(True):
        tx = optax.adamw(**arguments_of(port_to.adam, dialect("optax.adamw")))
        params = jax.numpy.asarray(p0)
        state = tx.init(params)
        for g in grads:
            w.grad = torch.tensor(g)
            optimizer.step()
            updates, state = tx.update(jax.numpy.asarray(g), state, params)
            params = optax.apply_updates(params, updates)
    assert np.abs(w.detach().numpy() - np.asarray(params)).max() < 1e-9


def test_defaults_and_axes_are_compared() -> None:
    found = compare("torch.AdamW", "optax.adamw", steps=4)
    assert found.defaults["weight_decay"] == (0.01, 1e-4)
    assert found.defaults["lr"] == (1e-3, None)
    assert set(found.axes) == {"missing", "clock", "all_missing", "complex", "coefficients"}
    assert max(found.default_gaps) > 1e-4
    assert found.freezing == ("missing", "clock", "all_missing")


@pytest.mark.parametrize(("kind", "plain"), list(SAME_WITHOUT_CHANGES.items()))
def test_decay_relative_to_lr_max_is_not_what_it_is_at_a_constant_lr(kind: Any, plain: Any) -> None:
    adam = Adam(lr=0.5, weight_decay=0.1, decay=kind)
    gap = gap_series(adam, Proposal(replace(adam, decay=plain)), 12)
    assert max(gap[:5]) == 0.0
    assert gap[-1] > 0.1
