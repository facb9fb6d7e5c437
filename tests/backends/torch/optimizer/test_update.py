"""One step of a parameter group: clocks tick in place, scales are taken out, and autograd records."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch.nn import Parameter  # noqa: E402

from adamcore.backends.torch import Adam  # noqa: E402
from adamcore.backends.torch.optimizer.state import GroupState  # noqa: E402
from adamcore.backends.torch.optimizer.update import update_group  # noqa: E402


def prepared(**settings: Any) -> tuple[Any, GroupState]:
    p = Parameter(torch.ones(2))
    p.grad = torch.tensor([4.0, -4.0])
    optimizer = Adam([p], lr=0.5, eps=0.0, **settings)
    found = GroupState.empty()
    optimizer._init_group(0, optimizer.param_groups[0], *found)
    return optimizer, found


def update(optimizer: Any, found: GroupState, scale: Any = None, skipped: Any = None) -> Any:
    with torch.no_grad():
        core, group = optimizer._cores["0"], optimizer.param_groups[0]
        return update_group(core, group, found, scale, skipped, group["lr"], False)


def test_the_step_is_in_place() -> None:
    optimizer, found = prepared()
    jobs, [new] = update(optimizer, found)
    assert new.p is found.params[0] is jobs[0].p
    assert new.m is found.ms[0]
    assert found.params[0].tolist() == [0.5, 1.5]
    assert found.clocks[0].item() == 1


def test_a_scale_is_taken_out_of_the_gradient() -> None:
    optimizer, found = prepared()
    update(optimizer, found, scale=torch.tensor([4.0]))
    assert found.grads[0].tolist() == [1.0, -1.0]
    assert torch.allclose(found.ms[0], torch.tensor([0.1, -0.1]))


@pytest.mark.parametrize("nesterov", ["none", "dozat"])
@pytest.mark.parametrize("skip", [True, False])
def test_nothing_moves_where_the_program_skips_the_step(skip: bool, nesterov: str) -> None:
    optimizer, found = prepared(nesterov=nesterov)
    update(optimizer, found, skipped=torch.tensor(skip))
    assert found.clocks[0].item() == (0 if skip else 1)
    assert (found.params[0].tolist() == [1.0, 1.0]) == skip
    assert (found.ms[0].tolist() == [0.0, 0.0]) == skip
    if nesterov == "dozat":
        assert (found.products[0].item() == 1.0) == skip


def test_a_recorded_step_has_new_moments() -> None:
    optimizer, found = prepared(differentiable=True)
    _, [new] = update(optimizer, found)
    assert new.m is not found.ms[0]
    assert found.ms[0].tolist() == [0.0, 0.0]
    assert found.params[0].tolist() == [0.5, 1.5]
    assert found.clocks[0].item() == 1
