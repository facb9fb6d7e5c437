"""docs/torch.md does what it says."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from docs_pages import assert_every_kind, lost_links, rows_of
from paths import ROOT
from torch_runs import VERSION

from adamcore.backends.torch import Adam
from adamcore.errors import AdamcoreError

PAGE = ROOT / "docs" / "torch.md"


def test_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []


# ------------------------------------------------------ what PyTorch takes, and what is taken here

ROWS = rows_of(PAGE)


def train(optimizer: Any, steps: int) -> None:
    for t in range(steps):
        for group in optimizer.param_groups:
            for p in group["params"]:
                g = torch.linspace(-1.0, 1.0 + t, p.numel(), device=p.device).reshape(p.shape).to(p.dtype)
                p.grad = g * (1 + 2j) if p.is_complex() else g
        optimizer.step()


def tried(cls: Any, line: str) -> list[torch.Tensor] | Exception:
    """The parameters after a step, the line and three steps, and what the line has kept; or the error."""
    w, b = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0])), torch.nn.Parameter(torch.tensor([[0.5]]))
    names = {"torch": torch, "copy": copy, "pickle": pickle, "Adam": cls, "w": w, "b": b}
    opt = names["opt"] = cls([w, b], lr=0.01)
    train(opt, 1)
    try:
        exec(line, names)
        train(opt := names["opt"], 3)
    except Exception as error:
        return error
    found = [p.detach() for group in opt.param_groups for p in group["params"]]
    return [*found, names["kept"]] if "kept" in names else found


def test_the_table_has_every_kind_of_row() -> None:
    assert_every_kind(ROWS)
    assert len(ROWS) == PAGE.read_text("utf-8").count("\n| `opt") + 4 >= 40


@pytest.mark.parametrize(("line", "here", "why"), ROWS, ids=[line for line, _, _ in ROWS])
def test_what_pytorch_takes_is_taken_as_the_table_says(line: str, here: str, why: str) -> None:
    if "lr=torch.tensor([" in line and VERSION < (2, 8):
        pytest.skip("before torch 2.8 an lr of one dimension is an error of torch's")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's: a parameter twice, meta, parameters in a set
        theirs, ours = tried(torch.optim.Adam, line), tried(Adam, line)
    if isinstance(theirs, Exception):
        assert here == ("same" if isinstance(ours, Exception) else "more"), (theirs, ours)
    elif isinstance(ours, Exception):
        assert here == "refused", ours
        assert isinstance(ours, AdamcoreError)
    else:
        close = [torch.allclose(x, y, rtol=1e-6, atol=1e-6) for x, y in zip(theirs, ours, strict=True)]
        assert here == ("same" if all(close) else "otherwise")
