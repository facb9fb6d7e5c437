"""What ``p_storage`` keeps of the parameters on its way through files and into other layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from storage_runs import RESTS, array, same, steps

from adamcore import Adam
from adamcore.backends.states import fit
from adamcore.backends.states.adam import from_adam, to_adam
from adamcore.backends.states.files import load, save
from adamcore.backends.states.layouts import to_flat
from adamcore.backends.states.named import NamedState
from adamcore.errors import CheckpointError, ConversionError


def adam(policy: Any) -> Adam:
    return Adam(lr=1e-3, p_storage=policy, moment_dtype="float32", seed=3)


def saved(policy: str) -> tuple[list[Any], Any, NamedState]:
    params, state = steps(adam(policy), "numpy", "bfloat16", 3)
    return params, state, from_adam(adam(policy), state)


@pytest.mark.parametrize("policy", [*RESTS, "stochastic"])
def test_a_file_has_every_part(policy: str, tmp_path: Path) -> None:
    params, state, named = saved(policy)
    save(named, tmp_path / "state")
    again = load(tmp_path / "state")
    assert again.adam == adam(policy)
    back = to_adam(again, adam(policy), params)
    if policy in RESTS:
        assert same([back.p_rest[0], back.p_rest[2]], [state.p_rest[0], state.p_rest[2]])
        assert back.p_rest[1] is None
    else:
        assert back.p_rest is None


def test_a_file_of_a_plain_adam_is_as_it_was(tmp_path: Path) -> None:
    _, _, named = saved("plain")
    save(named, tmp_path / "state")
    content = (tmp_path / "state").read_bytes()
    assert not any(word in content for word in (b"p_storage", b"seed", b"p_rest"))


def test_a_state_of_a_plain_adam_goes_on_from_the_parameters() -> None:
    params, _, named = saved("plain")
    state = to_adam(named, adam("master"), params)
    assert same([state.p_rest[0], state.p_rest[2]], [params[0], params[2]])


def test_what_would_be_lost_is_asked_for() -> None:
    params, _, named = saved("split")
    for target in (adam("plain"), adam("master")):
        with pytest.raises(ConversionError, match=r"p_storage: 'split' -> .*what the state keeps"):
            fit(named, target)
    plain = fit(named, adam("plain"), accept=["p_storage"])
    assert all(leaf.p_rest is None for leaf in plain.leaves.values())
    with pytest.raises(
        ConversionError, match=r"mlx has no place for what p_storage='split' keeps of '0', '2'"
    ):
        to_flat(named, "mlx")
    to_flat(plain, "mlx")
    wide = [np.asarray(p, np.float32) for p in params]
    with pytest.raises(
        ConversionError, match=r"0 has one of the parts .*: expected none, by the parameter's dtype"
    ):
        to_adam(named, adam("split"), wide)


def test_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.backends.states import from_torch, to_torch
    from adamcore.backends.torch import Adam as Optimizer

    params, state, named = saved("split")
    tensors = [torch.nn.Parameter(torch.tensor(np.asarray(p, np.float32))) for p in params]
    for i in (0, 2):
        tensors[i].data = tensors[i].data.bfloat16()
    settings: Any = {"lr": 1e-3, "p_storage": "split", "moment_dtype": "float32", "seed": 3}
    optimizer = Optimizer(tensors, **settings)
    names = ["0", "1", "2"]
    optimizer.load_state_dict(to_torch(named, optimizer, names))
    assert same([optimizer.state[tensors[0]]["p_rest"]], [state.p_rest[0]])
    again = from_torch(optimizer.state_dict(), names)
    assert again.adam.p_storage == "split"
    assert same([again.leaves["2"].p_rest], [state.p_rest[2]])
    with pytest.raises(
        ConversionError, match=r"can't hold .*p_storage='split': fit .* --as NAME --accept p_storage"
    ):
        to_torch(named, torch.optim.Adam(tensors, lr=1e-3), names)


def test_optax() -> None:
    pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    from adamcore.backends.jax import adam as transformation
    from adamcore.backends.states import from_optax, to_optax

    params, state, named = saved("split")
    ours = [array("jax", np.asarray(p, np.float32), str(p.dtype)) for p in params]
    tx = transformation(1e-3, dialect="torch.Adam", p_storage="split", moment_dtype="float32", seed=3)
    back = to_optax(named, tx.init(ours), ours, adam=adam("split"))
    assert same([back.p_rest[0], back.p_rest[2]], [state.p_rest[0], state.p_rest[2]])
    assert same([from_optax(back, adam("split")).leaves["2"].p_rest], [state.p_rest[2]])
    shared = NamedState(named.adam, named.leaves)
    with pytest.raises(ConversionError, match="optax' state has no place"):
        to_optax(shared, optax.adam(1e-3).init(ours), ours)


def test_rests_are_renamed_and_divided_with_the_moments() -> None:
    _, _, named = saved("split")
    turned = named.renamed({"w": {"from": "0", "axes": [1, 0]}, "b": "1", "c": "2"})
    assert (turned.leaves["w"].p_rest == named.leaves["0"].p_rest.T).all()  # type: ignore[union-attr]
    with pytest.raises(CheckpointError, match="keeps a part of some parameters"):
        NamedState(named.adam, {n: named.leaves[n] for n in ("1", "2")}).renamed(
            {"x": {"from": ["1", "2"], "concat": 0}}
        )
