"""What a constructor takes where it is given nothing, beside the defaults of its dialect."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from adamcore.conformance import kernel
from adamcore.conformance.candidates.adapter.arguments import map_arguments
from adamcore.conformance.candidates.adapter.defaults import default_notes
from adamcore.conformance.candidates.kernel import KernelCandidate
from adamcore.dialects import dialect


class Wrapped(torch.optim.AdamW):
    def __init__(self, params: Any, lr: float = 1e-2, **others: Any) -> None:
        super().__init__(params, lr, **others)


def in_place(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    t: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.98,
    eps: float = 1e-6,
) -> None:
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    p -= lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)) ** 0.5 + eps)


@pytest.mark.parametrize(
    ("made", "defaults"),
    [
        (torch.optim.AdamW, {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.01}),
        (Wrapped, {"lr": 1e-2, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.01}),
        (partial(torch.optim.Adam, eps=1e-5), {"eps": 1e-5}),
        (lambda params, lr, eps=None, wd=True, betas="0.9": None, {}),
    ],
)  # fmt: skip
def test_the_defaults_of_a_constructor_are_read(made: Any, defaults: dict[str, float]) -> None:
    found = map_arguments(made, {}, positional=1, required=()).defaults
    assert defaults.items() <= found.items()
    assert defaults or not found


def test_the_defaults_of_a_kernel_are_read() -> None:
    info = KernelCandidate(kernel(in_place), {}, None).info
    assert info.defaults == {"b1": 0.9, "b2": 0.98, "eps": 1e-6}


def test_the_same_numbers_need_no_note() -> None:
    assert default_notes({"lr": 1e-3, "b2": 0.999, "weight_decay": 0.01}, dialect("torch.AdamW")) == []
    assert default_notes({"lr": 0.5, "eps": 1e-8}, dialect("optax.adamw")) == []  # it requires an lr


def test_other_numbers_are_named_beside_those_of_the_dialect() -> None:
    [note] = default_notes({"eps": 1e-6, "weight_decay": 0.99}, dialect("optax.adamw"))
    assert (note.level, note.area) == ("note", "hyperparameters")
    assert note.expected == "the defaults of optax.adamw: eps=1e-08, weight_decay=0.0001"
    assert note.observed == "where nothing is given, eps is 1e-06 and weight_decay is 0.99"
