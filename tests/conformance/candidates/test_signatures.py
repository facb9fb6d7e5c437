"""Which argument of a kernel is which, and what is said of one that is not known."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.conformance.candidates.signatures import parameters_of, read_signature
from adamcore.conformance.errors import SettingError, SignatureError


def plain(
    p: Any, g: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None: ...


def spelled(
    param: Any, grad: Any, exp_avg: Any, exp_avg_sq: Any, step: int, *, lr: float, betas: Any, eps: float,
    wd: float = 0.0, grad_scale: Any = None, found_inf: Any = None, block: int = 256,
) -> None: ...  # fmt: skip


def strange(x: Any, grad: Any, m: Any, v: Any, lr: float) -> None: ...


def doubled(p: Any, g: Any, m: Any, v: Any, t: int, step: int, lr: float) -> None: ...


def starred(*tensors: Any, lr: float) -> None: ...


def lists(
    params: Any, grads: Any, exp_avgs: Any, exp_avg_sqs: Any, lr: float, alpha: float = 0.5
) -> None: ...


def test_arguments_are_known_by_their_names() -> None:
    signature = read_signature(plain, {})
    assert list(signature.roles.values()) == ["p", "g", "m", "v", "t", "lr", "b1", "b2", "eps"]
    assert signature.hyper == {"lr": "lr", "b1": "beta1", "b2": "beta2", "eps": "eps"}
    assert not signature.of_lists


def test_an_argument_without_a_meaning_keeps_its_default() -> None:
    signature = read_signature(spelled, {})
    assert "block" not in signature.roles
    assert [p.name for p in signature.parameters][-1] == "found_inf"
    assert signature.hyper["b2"] == "betas[1]"
    assert signature.takes("scale")
    assert read_signature(spelled, {"block": "128"}).values == {"block": 128}


def test_a_second_argument_of_one_meaning_keeps_its_default() -> None:
    signature = read_signature(lists, {}, required=())
    assert signature.hyper == {"lr": "lr"}
    assert signature.of_lists


def test_torchs_kernels_are_known_by_their_schema() -> None:
    torch = pytest.importorskip("torch")
    for function in (torch._fused_adamw_, torch.ops.aten._fused_adamw_, torch.ops.aten._fused_adamw_.default):
        signature = read_signature(function, {})
        assert signature.of_lists
        assert signature.roles["self"] == "p"
        assert signature.values == {"amsgrad": False, "maximize": False}
        assert [p.by_name for p in signature.parameters if p.name in ("grads", "lr")] == [False, True]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            strange,
            r"strange\(x, grad, m, v, lr\): nothing is known of x; .*p: p, param, .*lambda p, g, m, v, t, h",
        ),
        (doubled, "both t and step stand for t"),
        (starred, r"takes \*args, which have no names"),
        (dict.fromkeys, r"no argument stands for p, g, m, v|nothing is known of|has no signature"),
    ],
)
def test_another_signature_is_refused_with_the_known_names(function: Any, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        read_signature(function, {})


def test_what_is_missing_is_told_with_its_names_alone() -> None:
    def without_moments(p: Any, g: Any, lr: float) -> None: ...

    with pytest.raises(
        SignatureError, match=r"no argument stands for m, v; .*names are m: m, [^;]*; v: [^;]*$"
    ):
        read_signature(without_moments, {})


def test_a_function_without_a_signature_is_declared() -> None:
    declared = parameters_of(print, "p, g, m, v, t=1, *, lr, eps=1e-8")
    assert [(p.name, p.by_name, p.required) for p in declared][3:] == [
        ("v", False, True), ("t", False, False), ("lr", True, True), ("eps", True, False),
    ]  # fmt: skip
    with pytest.raises(SignatureError, match="expected names of arguments"):
        parameters_of(print, "p; g")


def test_a_hyperparameter_that_is_not_there_is_asked_for() -> None:
    with pytest.raises(SettingError, match="no argument for b1 found among"):
        read_signature(lists, {})
    fixed = {"b1": "0.9", "b2": "0.999", "eps": "1e-8"}
    assert read_signature(lists, fixed).fixed == {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
    with pytest.raises(SettingError, match="--set gamma: the kernel has no such argument"):
        read_signature(plain, {"gamma": "1"})


def test_an_option_of_a_dialect_needs_no_argument() -> None:
    """A kernel may have the mode that its claim names as a constant."""
    assert read_signature(plain, {"adamw_mode": "False"}).options == {"adamw_mode": False}


def test_an_argument_is_named_by_the_user() -> None:
    def other(
        p: Any, g: Any, m: Any, v: Any, t: int, rate: float, b1: float, b2: float, eps: float
    ) -> None: ...

    assert read_signature(other, {"rate": "@lr"}).hyper["lr"] == "rate"
