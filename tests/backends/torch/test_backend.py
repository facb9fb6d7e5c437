"""PyTorch's backend: which tensors it takes, what the host sees of them, and trees."""

from __future__ import annotations

import math
from typing import Any

import pytest

from adamcore import Adam
from adamcore.coefficients import split_log
from adamcore.errors import ParameterError

torch = pytest.importorskip("torch")

from adamcore.backends.torch import backend  # noqa: E402


def test_logarithms_are_marked_as_dynamo_marks_constants() -> None:
    """The array backend sets the mark itself, since PyTorch's function imports Dynamo."""

    def marked() -> None: ...

    torch.compiler.assume_constant_result(marked)
    assert vars(split_log) == vars(marked) != {}


def test_tensors_that_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"layout torch.sparse_coo.*to_dense"):
        Adam().init([torch.ones(3).to_sparse()])
    with pytest.raises(ParameterError, match=r"meta device.*to_empty"):
        Adam().init([torch.ones(3, device="meta")])


def test_the_host_reads_plain_tensors_on_the_cpu_alone() -> None:
    assert backend.host(torch.tensor(3, dtype=torch.int32)) == 3
    assert backend.host(torch.tensor(0.5, requires_grad=True)) == 0.5
    seen = []

    def inside(x: Any) -> Any:
        seen.append(backend.host(x))
        return x

    torch.vmap(inside)(torch.ones(2))
    assert seen == [None]


def test_parts_do_not_reach_into_each_other() -> None:
    z = backend.join(torch.tensor([1.0]), torch.tensor([math.inf]), torch.complex64)
    assert (z.real.item(), z.imag.item()) == (1.0, math.inf)
    re, im = backend.split(torch.tensor([1 + 2j]).conj())
    assert (re.item(), im.item()) == (1.0, -2.0)


def test_dtypes_by_name() -> None:
    like = torch.ones(1)
    assert backend.dtype_named("bfloat16", like) is torch.bfloat16
    with pytest.raises(LookupError, match="no dtype 'nn'"):
        backend.dtype_named("nn", like)
    assert backend.complex_of(torch.float16, like) is torch.complex32
    with pytest.raises(LookupError, match="bfloat16"):
        backend.complex_of(torch.bfloat16, like)


def test_a_new_parameter_asks_for_a_gradient_as_the_old_one_did() -> None:
    params = [torch.ones(2, requires_grad=True), torch.ones(2)]
    new, _ = Adam().step(params, [torch.ones(2)] * 2, Adam().init(params))
    assert [p.requires_grad for p in new] == [True, False]
    assert all(p.is_leaf for p in new)


def test_paths_are_those_of_pytorch() -> None:
    assert backend.paths({"a": [torch.ones(1), None]}) == ["['a'][0]", "['a'][1]"]
