"""States on the move, against the real libraries and real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states import Moments, NamedState
from adamcore.backends.states.foreign import FORMATS, read, write
from adamcore.backends.states.named import dotted
from adamcore.backends.states.powers import clock_of, powers_of
from adamcore.conformance.cli import main
from adamcore.errors import CheckpointError, ClockError, ConversionError

rng = np.random.default_rng(1)


def made(
    adam: Adam | None = None, ts: tuple[int, int] = (7, 7), dtype: str = "float32", **more: Any
) -> NamedState:
    def leaf(t: int, shape: tuple[int, ...]) -> Moments:
        m, v = np.asarray(rng.normal(size=shape), dtype), np.asarray(rng.random(shape), dtype)
        return Moments(t, m, v)

    return NamedState(adam or Adam(), {"a.w": leaf(ts[0], (2, 3)), "b": leaf(ts[1], ())})


def same(a: NamedState, b: NamedState, dtype: bool = True) -> None:
    """The same state, bit for bit."""
    assert list(a.leaves) == list(b.leaves)
    for name, x in a.leaves.items():
        y = b.leaves[name]
        assert x.t == y.t
        assert x.mu_product == y.mu_product
        for p, q in ((x.m, y.m), (x.v, y.v), (x.v_max, y.v_max)):
            assert (p is None) == (q is None)
            if p is not None and q is not None:
                assert p.shape == q.shape
                assert (not dtype) or p.dtype == q.dtype
                assert np.array_equal(p, q)


# ------------------------------------------------------------------------------ the canonical file


def test_a_file_gives_back_every_bit(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    adam = Adam.like("torch.NAdam", lr=0.1 + 1e-17, weight_decay=0.3, amsgrad="uncorrected")
    values: dict[str, np.ndarray] = {
        "f8": np.array([1 / 3, -0.0, np.inf]), "f4": np.array([[1e-45]], "float32"),
        "bf": np.ones(3, ml_dtypes.bfloat16),
        "c8": np.array([1 + 2j], "complex64"), "c16": np.array(3 - 1j), "f2": np.zeros((0, 2), "float16"),
    }  # fmt: skip
    leaves = {n: Moments(k, x, x, x, mu_product=0.1 * k) for k, (n, x) in enumerate(values.items())}
    state = NamedState(adam, leaves, {"f8": {"lr": 0.7}}, "torch.NAdam")
    states.save(state, tmp_path / "s.safetensors")
    back = states.load(tmp_path / "s.safetensors")
    same(state, back)
    assert (back.adam, dict(back.special), back.dialect) == (adam, {"f8": {"lr": 0.7}}, "torch.NAdam")
    assert os.listdir(tmp_path) == ["s.safetensors"]
    from safetensors import safe_open

    with safe_open(tmp_path / "s.safetensors", framework="numpy") as file:
        about = json.loads(file.metadata()["adamcore"])
        assert about["edition"] == "2026.1"
        assert set(file.keys()) >= {"m/f8", "v/bf", "v_max/c16"}


def test_damage_is_named_and_the_destination_stands(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    states.save(made(), path)
    good = path.read_bytes()
    header = int.from_bytes(good[:8], "little")
    flipped = bytearray(good)
    flipped[-1] ^= 1
    renamed = good.replace(b"a.w", b"a.x")
    for data, said in (
        (b"", "empty or cut"), (good[:5], "empty or cut"), (good[: header // 2], "is cut"),
        (good[:-3], "is cut"),
        (good + b"\0", "damaged"), (bytes(flipped), "hash"), (renamed, "hash"),
        (b"\x80\x04junk" * 9, "no safetensors"),
        (good[:8] + b"{" + b"x" * (header - 1) + good[8 + header :], "header"),
    ):  # fmt: skip
        (tmp_path / "bad").write_bytes(data)
        with pytest.raises(CheckpointError, match=said):
            states.load(tmp_path / "bad")
        for source_kind in ([], ["--from", "adamcore"]):
            assert main(["convert", str(tmp_path / "bad"), str(path), *source_kind]) == 1
        assert path.read_bytes() == good
    for cut in range(0, len(good) - 1, 97):
        (tmp_path / "bad").write_bytes(good[:cut])
        with pytest.raises(CheckpointError):
            states.load(tmp_path / "bad")
    with pytest.raises(CheckpointError, match="can't be read"):
        states.load(tmp_path / "missing")
    with pytest.raises(CheckpointError, match="can't be written"):
        states.save(made(), tmp_path / "missing" / "s")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        states.save(made(), path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["s"]


def test_foreign_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="without this project's metadata"):
        states.load(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="does not tell whose"):
        read(tmp_path / "w.safetensors")


# ----------------------------------------------------------------------------------------- PyTorch


def torch_run(make: Any, steps: int = 4) -> Any:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    optimizer = make(model)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 3)).square().mean().backward()
        optimizer.step()
    return model, optimizer


TORCH: dict[str, dict[str, Any]] = {
    "torch.Adam": {"lr": 0.1, "amsgrad": True},
    "torch.AdamW": {"lr": 0.1, "weight_decay": 0.3, "betas": (0.5, 0.9)},
    "torch.NAdam": {"lr": 0.1, "momentum_decay": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("name", TORCH)
def test_torch_there_and_back(name: str, tmp_path: Path) -> None:
    """Through the canonical form and its file, the state_dict is what it was, and loads."""
    torch = pytest.importorskip("torch")
    kind = getattr(torch.optim, name.removeprefix("torch."))
    _, optimizer = torch_run(lambda m: kind(m.named_parameters(), **TORCH[name]))
    before = optimizer.state_dict()
    state = states.from_torch(before)
    assert state.dialect == name
    assert list(state.leaves) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    states.save(state, tmp_path / "s")
    fresh_model, fresh = torch_run(lambda m: kind(m.named_parameters(), lr=0.5), steps=0)
    fresh.load_state_dict(states.to_torch(states.load(tmp_path / "s"), fresh.state_dict()))
    after = fresh.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for i, each in before["state"].items():
        assert set(each) == set(after["state"][i])
        for key, x in each.items():
            assert after["state"][i][key].dtype == x.dtype
            assert torch.equal(after["state"][i][key], x), key
    write(state, tmp_path / "s.pt", "torch")
    same(read(tmp_path / "s.pt"), state)
    assert len(list(fresh_model.parameters())) == 4


def test_torch_names_and_groups() -> None:
    torch = pytest.importorskip("torch")
    model, optimizer = torch_run(lambda m: torch.optim.AdamW(
        [{"params": [m[0].weight, m[1].weight], "weight_decay": 0.5},
         {"params": [m[0].bias, m[1].bias], "lr": 0.2}],
        lr=0.1, weight_decay=0.0))  # fmt: skip
    sd = optimizer.state_dict()
    with pytest.raises(CheckpointError, match="does not name them"):
        states.from_torch(sd)
    assert list(states.from_torch(sd, by_position=True).leaves) == ["0", "1", "2", "3"]
    order = ["0.weight", "1.weight", "0.bias", "1.bias"]
    state = states.from_torch(sd, order)
    assert state.adam_of("1.weight").weight_decay == 0.5
    assert state.adam_of("1.bias").weight_decay == 0.0
    assert state.adam_of("1.bias").lr == 0.2
    again = torch.optim.AdamW(
        [{"params": [m.weight for m in model]}, {"params": [m.bias for m in model]}], lr=9.0
    )
    made_of_it = states.to_torch(state, again.state_dict(), order)
    assert [g["lr"] for g in made_of_it["param_groups"]] == [0.1, 0.2]
    one = torch.optim.AdamW(model.parameters(), lr=9.0)
    with pytest.raises(ConversionError, match="hyperparameters differ"):
        states.to_torch(state, one.state_dict(), model.named_parameters())
    with pytest.raises(CheckpointError, match="3 names for 4"):
        states.from_torch(sd, order[:3])
    with pytest.raises(CheckpointError, match="two parameters are called"):
        states.from_torch(sd, ["a", "a", "b", "c"])


def test_torch_that_it_can_t_hold() -> None:
    torch = pytest.importorskip("torch")
    _, optimizer = torch_run(lambda m: torch.optim.AdamW(m.named_parameters()))
    sd = optimizer.state_dict()
    state = states.from_torch(sd)
    late = NamedState(
        state.adam, {n: Moments(2**24 + 1, x.m, x.v) for n, x in state.leaves.items()}, dialect="torch.AdamW"
    )
    with pytest.raises(ConversionError, match=r"2\*\*24"):
        states.to_torch(late, sd)
    hat = NamedState(Adam.like("keras.Adam"), state.leaves, dialect="torch.AdamW")
    with pytest.raises(ConversionError, match="epsilon"):
        states.to_torch(hat, sd)
    sd["state"][0]["step"] = torch.tensor(3.5)
    with pytest.raises(ClockError, match="whole number"):
        states.from_torch(sd)
    with pytest.raises(CheckpointError, match="no state_dict"):
        states.from_torch({"weight": 1})
    with pytest.raises(CheckpointError, match="ds_to_universal"):
        states.from_torch({"base_optimizer_state": {}, "single_partition_of_fp32_groups": []})
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    with pytest.raises(CheckpointError, match="does not tell whose"):
        states.from_torch(sgd.state_dict(), ["a"])


def test_apex_and_deepspeed_are_told_by_their_keys() -> None:
    torch = pytest.importorskip("torch")
    group = {
        "lr": 0.1,
        "bias_correction": True,
        "betas": (0.9, 0.99),
        "eps": 1e-8,
        "weight_decay": 0.1,
        "params": [0, 1],
    }
    each = [{"exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2)} for _ in range(2)]
    apex = states.from_torch(
        {"state": dict(enumerate(each)), "param_groups": [group | {"step": 5}]}, ["a", "b"]
    )
    assert (apex.dialect, apex.one_clock(), apex.adam.decay) == ("apex.FusedAdam", 5, "decoupled")
    back = states.to_torch(apex, {"state": {}, "param_groups": [group | {"step": 0}]}, ["a", "b"])
    assert back["param_groups"][0]["step"] == 5
    assert "step" not in back["state"][0]
    deepspeed = {"state": {i: x | {"step": 5 + i} for i, x in enumerate(each)}, "param_groups": [group]}
    state = states.from_torch(deepspeed, ["a", "b"])
    assert (state.dialect, [x.t for x in state.leaves.values()]) == ("deepspeed.FusedAdam", [5, 6])
    uneven = NamedState(apex.adam, state.leaves, dialect="apex.FusedAdam")
    with pytest.raises(ConversionError, match="clocks in group 0 differ"):
        states.to_torch(uneven, {"state": {}, "param_groups": [group | {"step": 0}]}, ["a", "b"])


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"state": {}, "param_groups": [], "evil": Path("x")}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match="never loaded"):
        read(tmp_path / "evil.pt", by_position=True)
    np.savez(tmp_path / "evil.npz", a=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError, match="damaged, or no"):
        read(tmp_path / "evil.npz")
    torch.save({"optimizer": {"state": {}, "param_groups": []}}, tmp_path / "cut.pt")
    data = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[:-40])
    with pytest.raises(CheckpointError):
        read(tmp_path / "cut.pt", "torch")


# ------------------------------------------------------------------------------------------- optax


def test_optax_in_any_chain() -> None:
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    from adamcore.backends.jax import adam as ours

    params = {"a": {"w": jax.numpy.ones((2, 3))}, "b": jax.numpy.ones(())}
    schedule = optax.linear_schedule(0.1, 0.2, 5)
    for tx, adam in (
        (optax.adam(0.1), Adam.like("optax.adam", lr=0.1)),
        (optax.chain(optax.clip(1.0), optax.adamw(schedule)), Adam.like("optax.adamw", lr=0.1)),
        (optax.inject_hyperparams(optax.adam)(0.1), Adam.like("optax.adam", lr=0.1)),
        (optax.amsgrad(0.1), Adam.like("optax.amsgrad", lr=0.1)),
        (optax.chain(optax.clip(1.0), ours(0.1)), Adam.like("optax.adam", lr=0.1)),
        (ours(0.1, dialect="torch.AdamW"), Adam.like("torch.AdamW", lr=0.1)),
    ):
        state = tx.init(params)
        for _ in range(3):
            _, state = tx.update(jax.tree.map(lambda p: 0.3 * p, params), state, params)
        named = states.from_optax(state, adam)
        assert list(named.leaves) == ["a.w", "b"]
        assert named.one_clock() == 3
        back = states.to_optax(named, tx.init(params), params, adam=adam)
        assert jax.tree.structure(back) == jax.tree.structure(state)
        a, _ = tx.update(params, state, params)
        b, _ = tx.update(params, back, params)
        assert all((x == y).all() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    with pytest.raises(CheckpointError, match="no state of Adam"):
        states.from_optax(optax.sgd(0.1).init(params), Adam())
    with pytest.raises(CheckpointError, match="2 states of Adam"):
        states.from_optax((optax.adam(0.1).init(params), optax.adam(0.1).init(params)), Adam())
    with pytest.raises(CheckpointError, match="no state for 'c'"):
        states.to_optax(named, optax.adam(0.1).init({"c": params["b"]}), {"c": params["b"]})


# ----------------------------------------------------------------------------------- flat layouts


@pytest.mark.parametrize("layout", states.LAYOUTS)
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_layouts_there_and_back(layout: str, ending: str, tmp_path: Path) -> None:
    state = made()
    path = tmp_path / f"s.{ending}"
    write(state, path, layout)
    same(read(path, hyper={"b1": 0.9, "b2": 0.999}), state)
    assert main(["convert", str(path), str(tmp_path / "t"), "--set", "b2=0.999"]) == 0
    same(states.load(tmp_path / "t"), state)


def test_paddle_keeps_a_clock_for_each() -> None:
    uneven = made(ts=(3, 900))
    same(states.from_flat(states.to_flat(uneven, "paddle"), "paddle"), uneven)
    for layout in set(states.LAYOUTS) - {"paddle"}:
        with pytest.raises(ConversionError, match="clocks differ"):
            states.to_flat(uneven, layout)


def test_the_clock_from_running_powers() -> None:
    """Kept as TensorFlow keeps them: a float32 product, multiplied after each step."""
    for b1, b2 in ((0.9, 0.999), (0.5, 0.95), (0.0, 0.999)):
        adam = Adam(b1=b1, b2=b2)
        p1, p2 = np.float32(b1), np.float32(b2)
        for t in range(1, 5001):
            p1, p2 = p1 * np.float32(b1), p2 * np.float32(b2)
            if t in (1, 2, 10, 400, 1000, 5000):
                if b2 == 0.95 and t > 1500:
                    with pytest.raises(CheckpointError, match="no longer tell"):
                        clock_of(adam, float(p1), float(p2), "x")
                else:
                    assert clock_of(adam, float(p1), float(p2), "x") == t
    with pytest.raises(CheckpointError, match="no whole number of steps"):
        clock_of(Adam(b2=0.99), *powers_of(Adam(), 5), "x")
    with pytest.raises(CheckpointError, match="says t=5"):
        clock_of(Adam(), powers_of(Adam(), 5)[0], powers_of(Adam(), 6)[1], "x")
    assert states.from_flat(states.to_flat(made(), "tf1"), "tf1", t=3).one_clock() == 3


# --------------------------------------------------------------------------- what has no meaning


def test_what_is_not_exact_is_refused_by_name() -> None:
    torch_adamw = Adam.like("torch.AdamW", lr=0.1)
    for target, names in (
        (Adam.like("optax.adamw", lr=0.1, weight_decay=0.01), ()),
        (Adam.like("keras.AdamW", lr=0.1, weight_decay=0.01, eps=1e-8), ("epsilon",)),
        (Adam.like("torch.Adam", weight_decay=0.01), ("decay",)),
        (Adam.like("torch.AdamW", amsgrad="uncorrected"), ("amsgrad",)),
        (Adam.like("mlx.AdamW", lr=0.1), ("bias_correction",)),
        (Adam.like("transformers4.AdamW", eps=1e-8, weight_decay=0.01), ("epsilon", "decay_order")),
        (Adam.like("torch.AdamW", b2=0.99), ("b2",)),
    ):
        state = made(torch_adamw)
        if names:
            with pytest.raises(ConversionError, match="can't be taken over exactly") as raised:
                states.fit(state, target)
            assert all(f"  {name}: " in str(raised.value) for name in names)
            assert str(raised.value).count(" -> ") == len(names)
        fitted = states.fit(state, target, accept=names)
        assert fitted.adam.clock == target.clock
        assert (fitted.leaves["b"].v_max is not None) == (target.amsgrad != "none")
    maxima = NamedState(Adam(amsgrad="uncorrected"), {"w": Moments(3, np.ones(1), np.ones(1), np.ones(1))})
    with pytest.raises(ConversionError, match="amsgrad"):
        states.fit(maxima, Adam.like("optax.amsgrad", lr=0.1))
    with pytest.raises(ConversionError, match="accept='eps-hat'"):
        states.fit(made(), Adam(), accept=["eps-hat"])


def test_moot_differences_are_none() -> None:
    state = made(Adam())
    for target in (
        Adam(decay="decoupled"),
        Adam(decay_order="after"),
        Adam(momentum_decay=0.5),
        Adam(complex="modulus"),
    ):
        states.fit(state, target)
    turned = made(Adam(), dtype="complex64")
    with pytest.raises(ConversionError, match="complex"):
        states.fit(turned, Adam(complex="modulus"), accept=["complex"])


def test_clocks_into_one() -> None:
    uneven = made(ts=(3, 9))
    target = Adam(clock="global")
    with pytest.raises(ConversionError, match="from 3 to 9"):
        states.fit(uneven, target)
    for choice, t in (("max", 9), ("min", 3), (5, 5)):
        assert states.fit(uneven, target, clock=choice).one_clock() == t  # type: ignore[arg-type]
    assert states.fit(made(Adam(clock="global")), Adam()).one_clock() == 7


def test_dozat_product_is_formed_from_the_clock() -> None:
    opt = Adam(nesterov="dozat")
    x = np.ones(2)
    state = opt.init({"w": x})
    for _ in range(5):
        x2, state = opt.step({"w": x}, {"w": x}, state)
    plain = NamedState(Adam(), {"w": Moments(5, x, x)})
    fitted = states.fit(plain, opt, accept=["nesterov", "momentum_decay"])
    assert fitted.leaves["w"].mu_product == pytest.approx(float(state.mu_product["w"]), rel=1e-15)
    assert x2["w"].shape == (2,)


def test_core_state_there_and_back() -> None:
    for adam in (Adam(), Adam(clock="global"), Adam(amsgrad="corrected"), Adam(nesterov="dozat")):
        params = {"a": [np.ones(2), None], "b": np.ones((), "float32")}
        state = adam.init(params)
        params, state = adam.step(params, {"a": [np.ones(2), None], "b": np.ones((), "float32")}, state)
        named = states.from_adam(adam, state)
        assert list(named.leaves) == ["a.0", "b"]
        back = states.to_adam(named, adam, params)
        one, other = (adam.step(params, params, s)[0] for s in (state, back))
        assert one["b"] == other["b"]
        assert (one["a"][0] == other["a"][0]).all()


# --------------------------------------------------------------------------------------- by names


def test_renaming_and_transposing() -> None:
    state = made()
    moved = state.renamed({"dense/kernel": {"from": "a.w", "axes": [1, 0]}, "bias": "b"})
    assert (moved.leaves["dense/kernel"].m == state.leaves["a.w"].m.T).all()
    with pytest.raises(CheckpointError, match="'c', which is not there"):
        state.renamed({"x": "c"})
    with pytest.raises(CheckpointError, match="no name is given for 'b'"):
        state.renamed({"x": "a.w"})
    assert dotted("['a']['b'].value") == "a.b.value"


KERAS = """
import sys, numpy as np, keras
from adamcore.backends import states
from adamcore.backends.keras import Adam
from adamcore.errors import CheckpointError, ConversionError
from adamcore.backends.states.reading import read
folder = sys.argv[1]
for make in (lambda: keras.optimizers.AdamW(0.125), lambda: keras.optimizers.Adam(0.125, amsgrad=True),
             lambda: Adam(0.125, dialect="torch.AdamW"), lambda: Adam(0.125, dialect="torch.NAdam")):
    layers = keras.layers
    net = keras.Sequential([layers.Input((3,)), layers.Dense(2, name="one"), layers.Dense(1)])
    net.compile(optimizer=make(), loss="mse")
    net.fit(np.ones((8, 3)), np.ones((8, 1)), batch_size=4, epochs=2, verbose=0)
    state = states.from_keras(net.optimizer)
    paths = [v.path for v in net.trainable_variables]
    assert list(state.leaves) == paths and state.one_clock() == 4, state.leaves.keys()
    other = make()
    other.build(net.trainable_variables)
    states.to_keras(state, other)
    for a, b in zip(net.optimizer.variables, other.variables):
        host = keras.ops.convert_to_numpy
        assert np.array_equal(host(a.value), host(b.value)), a.path
    if type(net.optimizer).__module__.startswith("keras"):
        net.save(folder + "/m.keras")
        again = read(folder + "/m.keras", names=paths, dialect=state.dialect,
                     hyper={"amsgrad": "uncorrected"} if state.adam.amsgrad != "none" else {})
        for name in paths:
            for part in ("m", "v", "v_max"):
                x, y = getattr(again.leaves[name], part), getattr(state.leaves[name], part)
                assert x is None and y is None or np.array_equal(x, y), (name, part)
        assert again.adam == state.adam and again.one_clock() == 4
try:
    states.to_keras(state, keras.optimizers.SGD(0.1))
    raise SystemExit("taken by SGD")
except CheckpointError as error:
    assert "SGD" in str(error)
"""


@pytest.mark.slow
def test_keras_live_and_on_file(tmp_path: Path) -> None:
    env = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", KERAS, str(tmp_path)], env=env, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_convert_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    _, optimizer = torch_run(lambda m: torch.optim.AdamW(m.parameters()))
    torch.save({"optimizer": optimizer.state_dict()}, tmp_path / "run.pt")
    (tmp_path / "names").write_text("0.weight 0.bias 1.weight 1.bias")
    (tmp_path / "map.json").write_text(json.dumps({
        "a.kernel": {"from": "0.weight", "axes": [1, 0]}, "a.bias": "0.bias",
        "b.kernel": "1.weight", "b.bias": "1.bias",
    }))  # fmt: skip
    source, target = str(tmp_path / "run.pt"), str(tmp_path / "out.npz")
    assert main(["convert", source, target, "--to", "optax"]) == 1
    assert "--names" in capsys.readouterr().err
    named = ["--names", str(tmp_path / "names"), "--map", str(tmp_path / "map.json")]
    assert main(["convert", source, target, "--to", "optax", "--as", "optax.adamw", *named]) == 0
    assert "4 parameters, optax.adamw, t=4" in capsys.readouterr().out
    flat = np.load(target)
    assert flat["mu.a.kernel"].shape == (3, 2)
    assert main(["convert", source, target, "--to", "keras", "--as", "keras.AdamW", *named]) == 1
    assert "--accept epsilon" in capsys.readouterr().err
    accepted = ["--accept", "epsilon", "--to", "keras", "--as", "keras.AdamW"]
    assert main(["convert", source, target, *accepted, *named]) == 0
    assert main(["convert", source, target, "--to", "jax"]) == 2
    assert set(FORMATS) >= {"adamcore", "torch", "optax", "keras", "tf1", "paddle", "mlx"}


# ------------------------------------------------------------------------------ other libraries' files

FILES = Path(__file__).parent / "files"  #: written by MLX 0.32.4 and TensorFlow 2.21 (compat.v1, a Saver's)


@pytest.mark.parametrize(
    ("name", "kind", "t", "hyper"),
    [
        ("mlx_adamw.safetensors", "mlx", 5, {"eps": 1e-6, "weight_decay": 0.1, "bias_correction": "both"}),
        ("tf1_adam.npz", "tf1", 6, {"eps": 1e-4}),
    ],
)
def test_goes_on_from_a_real_file(name: str, kind: str, t: int, hyper: dict[str, Any]) -> None:
    """From the state on file, our step is the step that the library itself made next."""
    known = {"lr": 0.05, "b2": 0.99} | hyper
    state = read(FILES / name, dialect="mlx.AdamW" if kind == "mlx" else None, hyper=known)
    assert state.one_clock() == t
    stem = name.partition(".")[0]
    with np.load(FILES / f"{stem}_next.npz") as file:
        params, grads, after = ({k[2:]: file[k] for k in file if k[0] == which} for which in "pgq")
    assert set(state.leaves) == set(params)
    moved, _ = state.adam.step(params, grads, states.to_adam(state, state.adam, params))
    for n, p in after.items():
        assert np.abs(moved[n] - p).max() < 1e-6  # lr is 0.05, p of size 1
    flat = states.to_flat(state, kind)
    theirs = np.load(FILES / name) if name.endswith("npz") else None
    for key, x in flat.items():
        if theirs is not None:
            assert np.allclose(theirs[key], x, rtol=1e-5, atol=0), key


def test_a_wrong_b2_is_told_by_a_real_file() -> None:
    with pytest.raises(CheckpointError, match="no whole number of steps"):
        read(FILES / "tf1_adam.npz", hyper={"b2": 0.98})
