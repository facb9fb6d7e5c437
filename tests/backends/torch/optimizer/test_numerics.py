"""`check_numerics` of the optimizers for PyTorch: by group, with their names."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.nn import Parameter

from adamcore.backends.torch import Adam, AdamW
from adamcore.numerics import NumericsWarning


def narrow(value: float = 1.0) -> Parameter:
    return Parameter(torch.full((3,), value, dtype=torch.bfloat16))


def test_each_group_has_its_own_lr_and_dtypes() -> None:
    groups = [{"params": [narrow()], "v_dtype": "float32"}, {"params": [narrow()], "lr": 0.1}]
    found = [(f.what, f.path) for f in Adam(groups, lr=1e-3).check_numerics().findings]
    assert found == [
        ("step-lost", "param_groups[0]['params'][0]"),
        ("v-stalls", "param_groups[1]['params'][0]"),
    ]


def test_names_and_another_lr() -> None:
    opt = AdamW([("w", narrow()), ("b", narrow())], lr=torch.tensor(0.1))
    assert {f.what for f in opt.check_numerics().findings} == {"decay-lost", "v-stalls"}
    lost = [f.path for f in opt.check_numerics(1e-3).findings if f.what == "step-lost"]
    assert lost == ["w", "b"]


def test_a_parameter_that_is_repeated_is_looked_at_once() -> None:
    w = narrow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opt = Adam([w, narrow(), w])
    paths = [f.path for f in opt.check_numerics().findings if f.what == "step-lost"]
    assert paths == ["param_groups[0]['params'][0]", "param_groups[0]['params'][1]"]


def test_the_flag_warns_where_the_optimizer_is_made() -> None:
    with pytest.warns(NumericsWarning, match=r"\[step-lost\] w, bfloat16") as seen:
        Adam([("w", narrow())], lr=1e-3, check_numerics=True)
    assert seen[0].filename == __file__
    with pytest.warns(NumericsWarning, match="lr=1e-05"):
        Adam([narrow()], lr=1.0, check_numerics=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt = Adam([Parameter(torch.ones(3))], check_numerics=True)
        Adam([narrow()])
    assert "check_numerics" not in opt.param_groups[0]
