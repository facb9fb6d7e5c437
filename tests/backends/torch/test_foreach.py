"""The program over lists of tensors: what devices without a kernel get, tried on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from fast import adams, at

torch = pytest.importorskip("torch")

from adamcore import Adam  # noqa: E402
from adamcore.backends.torch import foreach  # noqa: E402
from adamcore.definition import update  # noqa: E402
from adamcore.jobs import Job, LeafDtypes  # noqa: E402
from adamcore.tracing import program  # noqa: E402


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("on_device", [False, True])
def test_lists(in_place: bool, on_device: bool) -> None:
    rng = np.random.default_rng(5)
    for adam in adams(60, seed=5):
        c = at(adam)
        made = program(adam, c)
        lists = {name: [torch.tensor(rng.random((3, 4))) for _ in range(3)] for name in made.inputs}
        old = {name: [x.clone() for x in xs] for name, xs in lists.items()}
        used = zip(made.coefficients, made.used(c), strict=True)
        scalars = {name: torch.tensor(x, dtype=torch.float64) if on_device else x for name, x in used}
        new = foreach.run(made, lists, scalars, in_place)
        for i in range(3):
            p, g, m, v = (old[name][i] for name in "pgmv")
            v_max = old["v_max"][i] if "v_max" in old else None
            [(p, m)], v, v_max = update(torch, adam, c, [(p, g, m)], v, v_max)
            for name, want in {"p": p, "m": m, "v": v, "v_max": v_max}.items():
                if want is not None:
                    torch.testing.assert_close(new[name][i], want, rtol=1e-14, atol=1e-15)
                    assert (new[name][i] is lists[name][i]) == in_place
            assert torch.equal(lists["g"][i], old["g"][i])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"where": torch.tensor(True)}, "mask"),
        ({"m": torch.ones(3, dtype=torch.float64)}, "arithmetic"),
        ({"g": torch.ones(3).as_subclass(type("Mine", (torch.Tensor,), {}))}, "subclass"),
    ],
)
def test_it_says_why_a_job_is_unsupported(change: dict[str, object], why: str | None) -> None:
    arrays = {name: torch.ones(3) for name in ("p", "g", "m", "v")} | {"v_max": None}
    formats = LeafDtypes(torch.float32, torch.float32, torch.float32, False)
    rest = {"coefficients": at(Adam()), "where": None, "formats": formats}
    reason = foreach.unsupported(Job(**(arrays | rest | change)))
    assert reason is None if why is None else reason is not None and why in reason
