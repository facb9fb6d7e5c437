"""Who takes part in a step of files: masks and booleans, as in memory, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk_runs import arrays, in_memory, same, saved

from adamcore import Adam, Clip
from adamcore.backends.files import Run
from adamcore.backends.files import run as module
from adamcore.errors import GradientError, MaskError, MissingGradientError

SIZES = {"a": (37, 501), "b": (), "c": (0, 3), "d": (70_000,), "e": (3, 5, 7)}
LOW = 1 << 20

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("safetensors", "float32", {"amsgrad": "corrected", "decay": "decoupled", "weight_decay": 0.1}),
    ("npy", "bfloat16", {"p_storage": "stochastic", "seed": 3, "moment_dtype": "float32"}),
    ("npy", "float32", {"m_storage": "companded8", "v_storage": "blockwise8"}),
    ("zarr", "float64", {"clock": "global", "nesterov": "dozat"}),
    ("npy", "complex64", {"missing": "zero"}),
    ("safetensors", "bfloat16", {"p_storage": "split"}),
]


def present(k: int, folder: Path) -> Any:
    """Return who takes part in step ``k``: masks in memory, in a file, of fewer axes; and booleans."""
    random = np.random.default_rng(k)
    in_file = np.lib.format.open_memmap(folder / f"mask{k}.npy", "w+", np.bool_, SIZES["d"])
    in_file[:] = random.random(SIZES["d"]) < 0.5
    return {
        "a": random.random(SIZES["a"]) < 0.5,
        "b": np.array(k % 2 == 0),
        "c": True,
        "d": in_file if k != 2 else False,
        "e": random.random((5, 1)) < 0.5,
    }


@pytest.mark.parametrize(
    ("file_format", "dtype", "axes"),
    [*CASES[:2], *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[2:])],
)
def test_bits(tmp_path: Path, file_format: str, dtype: str, axes: dict[str, Any]) -> None:
    if file_format == "zarr":
        pytest.importorskip("zarr")
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    ceiling = LOW if file_format != "zarr" else 64 << 20
    adam, params = Adam(lr=0.1, eps=1e-3, **axes), arrays(0, dtype, SIZES)
    run = Run.create(tmp_path / "run", adam, params, file_format=file_format)
    state = adam.init(params)
    for k, clip in enumerate([None, Clip(global_norm=0.5), Clip(norm=0.1)]):
        grads: Any = arrays(k + 1, dtype, SIZES) | ({"e": None} if k == 1 else {})
        options: dict[str, Any] = {"clip": clip, "grad_scale": 3.0, "present": present(k, tmp_path)}
        run.step(grads, ceiling=ceiling, **options)
        params, state = adam.step(params, grads, state, **options)
    assert same(Run(tmp_path / "run"), params, state)


def test_a_task_gets_its_part_of_a_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask")
    import dask.array as da

    from adamcore.backends.files import on_dask
    from adamcore.backends.files import part as parts
    from adamcore.backends.files.part import make_part

    given: list[Any] = []

    def noted(part: Any) -> int:
        for task in part.blocks.tasks.values():
            assert task.job is None or task.job.where is None
            if task.leaf.name == "a":
                given.append(task.sources["where"].x.size)
        return make_part(part)

    for maker in (on_dask, parts):
        monkeypatch.setattr(maker, "make_part", noted)
    adam, params = Adam(lr=0.1), arrays(0, sizes=SIZES)
    run = Run.create(tmp_path / "run", adam, params)
    grads: Any = [arrays(k + 1, sizes=SIZES) for k in range(3)]
    masks = [present(k, tmp_path) for k in (0, 1, 1)]
    with dask.config.set(num_workers=2):
        run.step(grads[0], present=masks[0], dask=True, ceiling=2 << 20)
        chunked = {n: da.from_array(g, chunks={0: 20} if n == "a" else -1) for n, g in grads[1].items()}
        run.step(chunked, present=masks[1])
        run.step(saved(tmp_path / "g", grads[2]), present=masks[2], dask=True)
    state = adam.init(params)
    for g, mask in zip(grads, masks, strict=True):
        params, state = adam.step(params, g, state, present=mask)
    assert same(run, params, state)
    assert sum(given) == 3 * 37 * 501


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", Adam(lr=0.1), {"w": np.ones((2, 3)), "b": np.zeros(2)})


GRADS = {"w": np.ones((2, 3)), "b": np.ones(2)}
MASK = np.array([True, False, True])


def stopped(run: Run, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Begin a step, which ends before anything is written."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "Mover", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run.step(GRADS, **options)
    assert run.interrupted


def test_a_step_that_is_resumed_has_its_masks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    adam, params = run.adam, {name: np.array(x) for name, x in run.params.items()}
    stopped(run, monkeypatch, present={"w": MASK, "b": False})
    with pytest.raises(MaskError, match=r"has masks: expected them again, as resume\(present=masks\)"):
        run.resume(GRADS)
    assert run.resume(GRADS, present={"w": MASK, "b": False})
    first = adam.step(params, GRADS, adam.init(params), present={"w": MASK, "b": False})
    assert same(run, *first)
    stopped(run, monkeypatch, present={"w": False, "b": True})
    assert run.resume(GRADS)
    assert same(run, *adam.step(first[0], GRADS, first[1], present={"w": False, "b": True}))


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ({"w": True}, "present lacks 'b' and has none besides: expected a boolean or a mask"),
        ("masks", "lacks 'b', 'w'"),
        ({"w": True, "b": 1}, "'b' is int: expected True, False"),
        ({"w": True, "b": np.ones(2)}, "'b' is ndarray of float64: expected True, False"),
        ({"w": np.ones((3, 2), bool), "b": True}, r"\['w'\] is an array of bool and shape \(3, 2\)"),
        ({"w": None, "b": True}, "'w' is NoneType"),
    ],
)
def test_what_is_no_mask(run: Run, present: Any, said: str) -> None:
    with pytest.raises(MaskError, match=said):
        run.step(GRADS, present=present)
    assert (run.steps, run.interrupted) == (0, False)


def test_masks_of_dask_are_refused(run: Run) -> None:
    da = pytest.importorskip("dask.array")
    with pytest.raises(MaskError, match="expected True, False, or an array of booleans of NumPy or zarr"):
        run.step(GRADS, present={"w": da.ones((2, 3), dtype=bool), "b": True})


def test_an_absent_one_is_an_error_where_the_adam_says_so(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", Adam(missing="error"), {"w": np.ones(2)})
    with pytest.raises(MissingGradientError, match="declared absent by `present`"):
        run.step({"w": np.ones(2)}, present={"w": False})


@pytest.mark.parametrize("flag", [True, 1.0, np.array(True)])
def test_a_step_that_has_overflowed_changes_nothing(run: Run, flag: Any) -> None:
    run.step(GRADS, found_inf=False)
    before = {name: np.array(x) for name, x in run.params.items()}, run.state
    run.step({"w": np.full((2, 3), np.inf), "b": None}, found_inf=flag, grad_scale=2.0)
    assert (run.steps, run.interrupted) == (1, False)
    assert same(Run(run.folder), *before)
    with pytest.raises(GradientError, match="of shape"):  # it is checked all the same
        run.step(GRADS | {"b": np.ones(3)}, found_inf=flag)


def test_an_overflow_forgets_a_step_that_was_begun(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`b`, the same in both folders, was written by the step that is given up: it is written again."""
    adam, params = run.adam, {name: np.array(x) for name, x in run.params.items()}
    absent: Any = GRADS | {"b": None}
    for _ in range(2):
        run.step(absent)
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_commit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run.step(GRADS)
    run.step(GRADS, found_inf=True)
    assert not run.interrupted
    assert run.resume() is False
    run.step(absent)
    assert same(Run(run.folder), *in_memory(adam, params, 3, lambda k: absent))
