"""The table of dialects: every row is an Adam, and the rows at hand are what the real ones compute.

The definition runs in float64 beside each implementation, with hyperparameters that keep the
choices far apart: the nearest wrong choice ends up more than a hundredth of lr away, while float64
rounding of a dozen steps is about 2**-48 of it.  DOUBLE stands anywhere between the two, and so
does SINGLE for an implementation that forms coefficients in float32 whatever the parameter's dtype.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from adamcore.adam import Adam
from adamcore.axes import AXES
from adamcore.coefficients import Host
from adamcore.config import HYPERPARAMETERS
from adamcore.definition import coefficients, update
from adamcore.dialects import DIALECTS, dialect, for_target, like, parse_option
from adamcore.errors import DialectError, HyperparameterError

Array = npt.NDArray[np.float64]
DOUBLE, SINGLE = 2.0**-40, 2.0**-18

START = np.array([-1.5, 0.7, 0.0, 3.0])
GRADIENTS = [  # one element shrinks (AMSGrad), one changes sign, one is often zero, one grows
    np.array([2.0 ** (-k), (-1.0) ** k * (0.3 + 0.1 * k), 0.25 if k % 3 == 1 else 0.0, 0.01 * 1.7**k])
    for k in range(12)
]
ODD = {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03}


def defined(adam: Adam, start: Array = START, gradients: list[Array] = GRADIENTS) -> list[Array]:
    """The parameters after each step, from the definition in float64."""
    p, m, v = start, np.zeros_like(start), np.zeros_like(start)
    v_max = None if adam.amsgrad == "none" else np.zeros_like(start)
    mu_product = 1.0 if adam.nesterov == "dozat" else None
    path = []
    for t, g in enumerate(gradients, 1):
        c = coefficients(Host(), adam, t, adam.lr, mu_product)
        [(p, m)], v, v_max = update(np, adam, c, [(p, g, m)], v, v_max)
        mu_product = c.mu_product
        path.append(p)
    return path


def assert_same(got: list[Array], adam: Adam, within: float = DOUBLE) -> None:
    assert isinstance(adam.lr, float)
    np.testing.assert_array_less(np.abs(np.array(got) - np.array(defined(adam))), within * adam.lr)


# The table by itself


@pytest.mark.parametrize("name", DIALECTS)
def test_every_row_is_an_adam_that_its_own_arguments_express(name: str) -> None:
    row = dialect(name)
    required = {n: 0.125 for n, default in row.defaults.items() if default is None}
    adam = like(name, **required)
    assert set(row.axes) <= set(AXES)
    assert set(row.defaults) | set(row.hyper) <= set(HYPERPARAMETERS)
    spelled_out = {a for a, value in row.axes.items() if value == AXES[a][0]}
    assert spelled_out <= {"all_missing"}, "only differences are stated, and what a global clock does"
    assert ("all_missing" in row.axes) == (row.axes.get("clock") == "global")
    assert row.source
    flags = {flag for option in row.options for flag in parse_option(option)}
    assert row.arguments(adam).keys().isdisjoint(flags), "its own axes need no flag"
    for option, effect in row.options.items():
        changed = like(name, **required, **effect)
        assert changed != adam
        assert parse_option(option).items() <= row.arguments(changed).items()


def test_the_paper_is_the_default() -> None:
    assert like("paper") == Adam()


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("torch.adamw", "torch.AdamW"),
        ("keras.adma", "keras.Adam"),
        ("bertadam", "BertAdam"),
        ("adamw", "AdamW"),
    ],
)
def test_an_unknown_name_brings_the_nearest(typed: str, nearest: str) -> None:
    with pytest.raises(DialectError, match=rf"no dialect '{typed}'; nearest: .*{nearest}"):
        like(typed)


def test_a_name_near_to_nothing_says_where_the_names_are() -> None:
    with pytest.raises(DialectError, match="`adamcore dialects` lists all"):
        dialect("?")


def test_a_required_hyperparameter_is_asked_for() -> None:
    with pytest.raises(HyperparameterError, match=r"optax\.adamw has no default for lr: give lr=\.\.\."):
        like("optax.adamw", weight_decay=0.1)
    with pytest.raises(HyperparameterError, match="weight_decay"):
        like("tfa.AdamW", lr=0.1)
    assert like("optax.adamw", lr=0.1).weight_decay == 1e-4


def test_overrides_win() -> None:
    adam = like("torch.AdamW", lr=0.25, amsgrad="uncorrected")
    assert (adam.lr, adam.amsgrad, adam.decay, adam.weight_decay) == (0.25, "uncorrected", "decoupled", 0.01)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("torch.AdamW", "betas", "no 'betas': give b1 and b2, for which torch.AdamW has betas"),
        (
            "optax.adam",
            "learning_rate",
            "no 'learning_rate': give lr, for which optax.adam has learning_rate",
        ),
        ("torch.AdamW", "epsilons", "no 'epsilons': nearest: epsilon"),
        ("torch.AdamW", "xyzzy", r"no 'xyzzy': help\(adamcore.Adam\) has its fields"),
    ],
)
def test_an_argument_of_the_implementation_brings_our_name_for_it(
    name: str, given: str, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Adam.like(name, **{given: 0.5})


def test_arguments_are_in_the_implementations_own_words() -> None:
    adam = like("optax.amsgrad", lr=0.5, b1=0.25, bias_correction="none")
    numbers = {"learning_rate": 0.5, "b1": 0.25, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0}
    flags = {"bias_correction_mu": False, "bias_correction_nu": False}
    assert dialect("optax.amsgrad").arguments(adam) == numbers | flags
    assert dialect("torch.AdamW").arguments(like("torch.AdamW", b1=0.5))["betas"] == (0.5, 0.999)


@pytest.mark.parametrize(
    ("name", "wish", "lacking"),
    [
        ("torch.AdamW", Adam(), "decay='l2'"),
        ("optax.adam", like("optax.adam", lr=0.1, weight_decay=0.1), "weight_decay=0.1"),
        ("torch.Adam", Adam(amsgrad="corrected"), "amsgrad='corrected'"),
    ],
)
def test_what_it_cannot_express_is_named(name: str, wish: Adam, lacking: str) -> None:
    with pytest.raises(DialectError, match=f"{name} has no argument for {lacking}"):
        dialect(name).arguments(wish)


def test_a_target_finds_its_row_and_no_other() -> None:
    assert for_target("torch.optim:Adam") is dialect("torch.Adam")
    assert for_target("optax:adamw") is dialect("optax.adamw")
    assert for_target("torch.optim:SGD") is None
    claimed = [path for row in DIALECTS.values() for path in row.targets]
    assert len(claimed) == len(set(claimed))


# Beside the real ones


def resolve(row_name: str) -> Any:
    module, _, attribute = dialect(row_name).targets[0].partition(":")
    return getattr(importlib.import_module(module), attribute)


def assert_signature(row_name: str, parameters: dict[str, Any]) -> None:
    """Names and defaults of a constructor, with None for none, are those of the row."""
    row = dialect(row_name)
    given = {n: 0.125 for n, default in row.defaults.items() if default is None}
    adam = row.adam(**given)
    for ours, theirs in row.hyper.items():
        name, _, index = theirs.partition("[")
        default = parameters[name]
        if index:
            default = default[int(index.rstrip("]"))]
        if ours in given:
            assert default is None, f"{name} has a default"
        else:
            assert (default or 0.0) == getattr(adam, ours), name
    for option in row.options:
        for name, value in parse_option(option).items():
            assert parameters[name] is (not value), option


def signature(thing: Callable[..., Any]) -> dict[str, Any]:
    return {
        name: None if p.default is inspect.Parameter.empty else p.default
        for name, p in inspect.signature(thing).parameters.items()
    }


@pytest.mark.parametrize("name", [n for n in DIALECTS if n.startswith(("torch.", "optax.", "jax_example."))])
def test_names_and_defaults_are_those_of_the_real_signature(name: str) -> None:
    assert_signature(name, signature(resolve(name)))


TORCH: list[tuple[str, dict[str, Any]]] = [
    ("torch.Adam", {}),
    ("torch.Adam", {"weight_decay": 0.2}),
    ("torch.Adam", {"weight_decay": 0.2, "maximize": True}),
    ("torch.Adam", {"weight_decay": 0.2, "decay": "decoupled"}),
    ("torch.Adam", {"amsgrad": "uncorrected"}),
    ("torch.AdamW", {"weight_decay": 0.2}),
    ("torch.AdamW", {"weight_decay": 0.2, "maximize": True, "amsgrad": "uncorrected"}),
    ("torch.NAdam", {"momentum_decay": 0.25}),
    ("torch.NAdam", {"momentum_decay": 0.25, "weight_decay": 0.2}),
    ("torch.NAdam", {"momentum_decay": 0.25, "weight_decay": 0.2, "decay": "decoupled"}),
    ("torch.SparseAdam", {}),
    ("torch.SparseAdam", {"maximize": True}),
]


@pytest.mark.parametrize(("name", "more"), TORCH)
def test_torch(name: str, more: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    adam = like(name, **ODD, **more)
    with double_by_default(torch):  # NAdam keeps its product in the default dtype
        p = torch.tensor(START, requires_grad=True)
        optimizer = resolve(name)([p], **dialect(name).arguments(adam))
        path = []
        for g in GRADIENTS:
            every_row = (torch.arange(g.size)[None], torch.tensor(g), g.shape)
            p.grad = (
                torch.sparse_coo_tensor(*every_row, is_coalesced=True, check_invariants=False)
                if name == "torch.SparseAdam"
                else torch.tensor(g)
            )
            optimizer.step()
            path.append(p.detach().numpy().copy())
    assert_same(path, adam)


@contextmanager
def double_by_default(torch: Any) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


OPTAX: list[tuple[str, dict[str, Any]]] = [
    ("optax.adam", {}),
    ("optax.adam", {"eps_root": 0.05}),
    ("optax.adam", {"nesterov": "optax"}),
    ("optax.adamw", {"weight_decay": 0.2}),
    ("optax.adamw", {"weight_decay": 0.2, "nesterov": "optax"}),
    ("optax.amsgrad", {}),
    ("optax.amsgrad", {"eps_root": 0.05}),
    ("optax.amsgrad", {"bias_correction": "first"}),
    ("optax.amsgrad", {"bias_correction": "second"}),
    ("optax.amsgrad", {"bias_correction": "none"}),
    ("optax.nadam", {}),
    ("optax.nadamw", {"weight_decay": 0.2}),
]


@pytest.mark.parametrize(("name", "more"), OPTAX)
def test_optax(name: str, more: dict[str, Any]) -> None:
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    adam = like(name, **ODD, **more)
    with jax.enable_x64(True):
        transform = resolve(name)(**dialect(name).arguments(adam))
        p = jax.numpy.asarray(START)
        state = transform.init(p)
        path = []
        for g in GRADIENTS:
            moves, state = transform.update(jax.numpy.asarray(g), state, p)
            p = optax.apply_updates(p, moves)
            path.append(np.asarray(p))
    assert_same(path, adam)


def test_jax_example() -> None:
    jax = pytest.importorskip("jax")
    adam = like("jax_example.adam", **ODD)
    with jax.enable_x64(True):
        init, step, parameters = resolve("jax_example.adam")(**dialect("jax_example.adam").arguments(adam))
        state = init(jax.numpy.asarray(START))
        path = []
        for i, g in enumerate(GRADIENTS):
            state = step(i, jax.numpy.asarray(g), state)
            path.append(np.asarray(parameters(state)))
    assert_same(path, adam)


@pytest.mark.parametrize(("first_t", "decay"), [(1, 0.0), (1, 0.2), (0, 0.0)])
def test_onnx_reference(first_t: int, decay: float) -> None:
    """At T=0 the operator corrects nothing, which is outside the row."""
    pytest.importorskip("onnx")
    operator: Any = importlib.import_module("onnx.reference.ops.aionnx_preview_training.op_adam")
    adam = like("onnx.Adam", **ODD, weight_decay=decay)
    arguments = dialect("onnx.Adam").arguments(adam)
    r = arguments.pop("R")
    p, m, v = START, np.zeros_like(START), np.zeros_like(START)
    path = []
    for t, g in enumerate(GRADIENTS, first_t):
        p, m, v = operator._apply_adam(r, t, p, g, m, v, norm_coefficient_post=0.0, **arguments)
        path.append(p)
    if first_t == 1:
        assert_same(path, adam)
    else:
        assert np.abs(path[0] - defined(adam)[0]).max() > 0.01 * ODD["lr"]


KERAS: list[tuple[str, dict[str, Any]]] = [
    ("keras.Adam", {}),
    ("keras.Adam", {"weight_decay": 0.2}),
    ("keras.Adam", {"amsgrad": "uncorrected"}),
    ("keras.AdamW", {"weight_decay": 0.2}),
    ("keras.Nadam", {}),
    ("keras.Nadam", {"weight_decay": 0.2}),
]
KERAS_PROGRAM = """
import inspect, json, sys
import keras
import numpy as np

keras.config.set_floatx("float64")
given = json.load(sys.stdin)
answers = []
for name, arguments in given["cases"]:
    variable = keras.Variable(np.array(given["start"]), dtype="float64")
    optimizer = getattr(keras.optimizers, name)(**arguments)
    path = []
    for g in given["gradients"]:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(g), dtype="float64")], [variable])
        path.append(keras.ops.convert_to_numpy(variable).tolist())
    parameters = inspect.signature(type(optimizer).__init__).parameters
    defaults = {n: p.default for n, p in parameters.items() if p.default is not inspect.Parameter.empty}
    answers.append({"path": path, "signature": defaults})
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def keras_answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Keras in a process of its own, because it takes its backend from the environment."""
    pytest.importorskip("h5py", reason="Keras needs h5py")
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    cases = [
        (name.removeprefix("keras."), dialect(name).arguments(like(name, **ODD, **more)))
        for name, more in KERAS
    ]
    given = {"cases": cases, "start": START.tolist(), "gradients": [g.tolist() for g in GRADIENTS]}
    home: Path = tmp_path_factory.mktemp("keras")
    done = subprocess.run(
        [sys.executable, "-c", KERAS_PROGRAM],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "KERAS_BACKEND": "numpy", "KERAS_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("case", range(len(KERAS)))
def test_keras(case: int, keras_answers: list[dict[str, Any]]) -> None:
    name, more = KERAS[case]
    assert_same([np.array(p) for p in keras_answers[case]["path"]], like(name, **ODD, **more), SINGLE)
    assert_signature(name, keras_answers[case]["signature"])
