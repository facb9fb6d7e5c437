"""The state of an optimizer in a file of Keras', with the configuration that the file has."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import keras_process
import pytest

if importlib.util.find_spec("keras") is None or importlib.util.find_spec("h5py") is None:
    pytest.skip("Keras or h5py is not installed", allow_module_level=True)

BEGIN = """
import sys, warnings, numpy as np, keras
from adamcore.backends import states
from adamcore.backends.keras import Adam as Ours
from adamcore.backends.states.foreign import read
from adamcore.errors import CheckpointError
folder, K = sys.argv[1], keras.optimizers
warnings.simplefilter("ignore")

def trained(optimizer):
    layers = keras.layers
    net = keras.Sequential([layers.Input((3,)), layers.Dense(3, name="one"), layers.Dense(1)])
    net.compile(optimizer=optimizer, loss="mse")
    net.fit(np.ones((12, 3)), np.ones((12, 1)), batch_size=4, verbose=0)
    return net, [v.path for v in net.trainable_variables]

def same(a, b):
    assert list(a.leaves) == list(b.leaves)
    for name, leaf in a.leaves.items():
        assert leaf.t == b.leaves[name].t, (leaf.t, b.leaves[name].t)
        for part in ("m", "v", "v_max"):
            x, y = getattr(leaf, part), getattr(b.leaves[name], part)
            assert x is None and y is None or np.array_equal(x, y), (name, part)
    assert a.adam == b.adam and a.dialect == b.dialect, (a.adam, b.adam)

def refused(said, f, *args, **more):
    try:
        f(*args, **more)
    except CheckpointError as error:
        assert said in str(error), error
    else:
        raise AssertionError(said)
"""


def run(code: str, folder: Path) -> None:
    keras_process.run("jax", BEGIN, code, str(folder))


def test_the_configuration_in_the_file(tmp_path: Path) -> None:
    """Every Adam, wrapped or not, in both formats: the file gives what the live optimizer gives."""
    run(
        """
        known = {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}
        for make in (
            lambda: K.AdamW(0.05, weight_decay=0.3, **known),
            lambda: K.Adam(0.05, weight_decay=0.2, amsgrad=True, **known),
            lambda: K.LossScaleOptimizer(K.AdamW(0.05, weight_decay=0.3, **known)),
            lambda: K.Adam(0.05, use_ema=True, amsgrad=True, **known),
            lambda: K.Adam(0.05, gradient_accumulation_steps=2, use_ema=True, **known),
            lambda: Ours(0.05, dialect="torch.AdamW", weight_decay=0.3, epsilon_rule="outside-uncorrected"),
        ):
            net, paths = trained(make())
            live = states.from_keras(net.optimizer)
            assert live.one_clock() in (1, 3)
            for name in ("m.keras", "m.h5"):
                net.save(f"{folder}/{name}")
                same(read(f"{folder}/{name}", "keras", names=paths), live)
            refused("expected those of 1 names", read, f"{folder}/m.keras", names=paths[:1])
        refused("made by torch.AdamW", read, f"{folder}/m.keras", names=paths, dialect="keras.Adam")
        """,
        tmp_path,
    )


def test_what_our_optimizer_excludes_from_decay(tmp_path: Path) -> None:
    """It is in the configuration, so a file tells what the live optimizer tells; numbers are no names."""
    run(
        """
        optimizer = Ours(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias", "one"])
        net, paths = trained(K.LossScaleOptimizer(optimizer))
        for name in ("m.keras", "m.h5"):
            net.save(f"{folder}/{name}")
            state = read(f"{folder}/{name}", "keras", names=paths)
            same(state, states.from_keras(net.optimizer))
            assert [state.adam_of(p).weight_decay for p in paths] == [0.0, 0.0, 0.5, 0.0]
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            state = read(f"{folder}/m.keras", by_position=True)
        assert "exclude_from_weight_decay is left out" in str(heard[-1].message), heard
        assert not state.special
        """,
        tmp_path,
    )


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    run(
        """
        schedule = K.schedules.CosineDecay(0.1, 10)
        def heard_from(source):
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                state = source()
            return state, " ".join(str(w.message) for w in heard)

        for make, said in (
            (lambda: K.Adam(0.1, use_ema=True), "averages of the weights"),
            (lambda: K.Adam(0.1, gradient_accumulation_steps=2), "1 accumulated gradients"),
            (lambda: K.Adam(schedule), "a schedule (CosineDecay)"),
            (lambda: Ours(schedule), "a schedule (CosineDecay)"),
        ):
            net, paths = trained(make())
            net.save(f"{folder}/m.keras")
            assert said in heard_from(lambda: read(f"{folder}/m.keras", names=paths))[1], said
            live, heard = heard_from(lambda: states.from_keras(net.optimizer))
            if "schedule" in said:  # which a live optimizer can be asked for
                assert abs(live.adam.lr - float(schedule(3))) < 1e-6, live.adam.lr
                assert "left out" not in heard, heard
            else:
                assert said in heard
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            assert read(f"{folder}/m.keras", names=paths, hyper={"lr": 0.25}).adam.lr == 0.25
        assert "left out" not in str(heard), heard
        """,
        tmp_path,
    )


def test_what_the_file_cannot_tell(tmp_path: Path) -> None:
    """Weights alone have no configuration; another optimizer, or ours with clocks, is no plain Adam."""
    run(
        """
        net, paths = trained(K.LossScaleOptimizer(K.AdamW(0.1)))
        net.save_weights(f"{folder}/m.weights.h5")
        where = f"{folder}/m.weights.h5"
        assert read(where, names=paths).one_clock() == 3
        refused("--dialect", read, where, names=paths, needs_dialect=True)
        assert read(where, names=paths, dialect="keras.AdamW", needs_dialect=True).dialect == "keras.AdamW"
        for make, said in (
            (lambda: K.SGD(0.1, momentum=0.9), "state of SGD, which is no Adam"),
            *(  # its momentum is of weights
                [(lambda: K.ScheduleFreeAdamW(0.1), "state of ScheduleFreeAdamW, which is no Adam")]
                if hasattr(K, "ScheduleFreeAdamW")
                else []
            ),
            (lambda: Ours(0.1, dialect="torch.NAdam"), "from_keras"),
        ):
            net, paths = trained(make())
            for name in ("m.keras", "m.h5"):
                net.save(f"{folder}/{name}")
                refused(said, read, f"{folder}/{name}", names=paths)
        """,
        tmp_path,
    )


def test_a_loss_scale_optimizer_stands_for_its_inner_one(tmp_path: Path) -> None:
    """There and back on live optimizers; a variable without weight decay is known as such."""
    run(
        """
        inner = K.AdamW(0.1, weight_decay=0.5)
        inner.exclude_from_weight_decay(var_names=["bias"])
        net, paths = trained(K.LossScaleOptimizer(inner))
        state = states.from_keras(net.optimizer)
        same(state, states.from_keras(inner))
        assert [state.adam_of(p).weight_decay for p in paths] == [0.5, 0.0, 0.5, 0.0]
        other = K.LossScaleOptimizer(K.AdamW(0.1, weight_decay=0.5))
        other.build(net.trainable_variables)
        states.to_keras(state, other)
        for a, b in zip(inner.variables, other.inner_optimizer.variables):
            assert np.array_equal(np.array(a), np.array(b)), a.path
        """,
        tmp_path,
    )


def test_bfloat16(tmp_path: Path) -> None:
    """HDF5 has no type for it: Keras' own files hold two nameless bytes an element."""
    run(
        """
        layers = keras.layers
        net = keras.Sequential([layers.Input((3,)), layers.Dense(1, dtype="bfloat16")])
        net.compile(optimizer=K.Adam(0.05), loss="mse")
        net.fit(np.ones((12, 3)), np.ones((12, 1)), batch_size=4, verbose=0)
        live = states.from_keras(net.optimizer)
        for name in ("m.keras", "m.h5"):
            net.save(f"{folder}/{name}")
            state = read(f"{folder}/{name}", names=[v.path for v in net.trainable_variables])
            same(state, live)
            assert {leaf.m.dtype.name for leaf in state.leaves.values()} == {"bfloat16"}
        """,
        tmp_path,
    )
