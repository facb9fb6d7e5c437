"""Gradients by rows (SPARSE.1 to SPARSE.4), in every library that can put rows back, traced too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import storage_runs
from narrow_arrays import as_float64, narrow_array

from adamcore import Adam, Clip, Rows
from adamcore.errors import BackendError, GradientError

RNG = np.random.default_rng(3)
P = [RNG.normal(size=(6, 3)), RNG.normal(size=4), RNG.normal(size=(5, 2, 2))]
INDICES = [[4, 1, 4, 0], [3, 3, 3], []]  # twice, three times, none
VALUES = [RNG.normal(size=(len(i), *p.shape[1:])) for i, p in zip(INDICES, P, strict=True)]
ADAMS = [
    Adam(lr=0.1, weight_decay=0.1, amsgrad="uncorrected"),
    Adam(lr=0.1, weight_decay=0.1, decay="decoupled", nesterov="dozat", clock="global"),
]
#: The array API has no way to put rows back; in JAX each shape of each operation is compiled.
LIBRARIES = pytest.mark.parametrize(
    "lib", ["numpy", "torch", pytest.param("jax", marks=pytest.mark.slow)], indirect=True
)


def dense_of(k: int) -> np.ndarray:
    g = np.zeros(P[k].shape)
    np.add.at(g, np.asarray(INDICES[k], int), VALUES[k])
    return g


def mask_of(k: int) -> np.ndarray:
    listed = np.isin(np.arange(len(P[k])), INDICES[k])
    return np.broadcast_to(listed.reshape(-1, *(1,) * (P[k].ndim - 1)), P[k].shape)


def rows_of(lib: Any, others: Any, dtype: str = "float64") -> list[Rows]:
    pairs = zip(INDICES, VALUES, strict=True)
    return [Rows(lib(np.asarray(i, np.int32), "int32"), lib(v, dtype), others) for i, v in pairs]


def parts(state: Any) -> list[Any]:
    return [x for part in state if part is not None for x in (part if isinstance(part, list) else [part])]


@pytest.mark.parametrize(
    ("adam", "others"),
    [
        (ADAMS[0], "absent"),
        pytest.param(ADAMS[1], "absent", marks=pytest.mark.slow),
        pytest.param(ADAMS[0], "zero", marks=pytest.mark.slow),
        (ADAMS[1], "zero"),
    ],
)
@LIBRARIES
def test_rows_are_a_dense_gradient_or_one_with_a_mask(lib: Any, adam: Adam, others: Any) -> None:
    present = None if others == "zero" else [lib(mask_of(k), "bool") for k in range(3)]
    params = [lib(p) for p in P]
    want, want_state = params, adam.init(params)
    got, state = params, adam.init(params)
    for step in range(2):
        want, want_state = adam.step(want, [lib(dense_of(k)) for k in range(3)], want_state, present=present)
        got = [x if step else lib(lib.numpy(x)) for x in got]  # the second step may write to its arrays
        got, state = adam.step(got, rows_of(lib, others), state, donate=bool(step))
        for x, y in zip([*got, *parts(state)], [*want, *parts(want_state)], strict=True):
            np.testing.assert_allclose(lib.numpy(x), lib.numpy(y), rtol=1e-13, atol=1e-15)


@LIBRARIES
def test_rows_that_are_absent_keep_their_bits_and_inputs_are_not_written_to(lib: Any) -> None:
    params, adam = [lib(p) for p in P], ADAMS[0]
    _, state = adam.step(params, [lib(p) for p in P], adam.init(params))
    before = [lib.bits(x) for x in (*params, *parts(state))]
    new, after = adam.step(params, rows_of(lib, "absent"), state)
    assert [lib.bits(x) for x in (*params, *parts(state))] == before
    assert [int(t) for t in after.t] == [2, 2, 2]  # the clock is the array's
    for k in range(3):
        stays = ~mask_of(k)
        for x, y in ((new, params), (after.m, state.m), (after.v, state.v), (after.v_max, state.v_max)):
            a, b = lib.numpy(x[k]), lib.numpy(y[k])
            assert a[stays].tobytes() == b[stays].tobytes()
            assert (a[~stays] != b[~stays]).all()


@LIBRARIES
def test_clipped_and_scaled(lib: Any) -> None:
    """The norm is that of the sums, with the scale divided out."""
    adam, params = Adam(lr=0.1, b1=0.5), [lib(p) for p in P]
    clip = Clip(global_norm=0.5)
    for others in ("zero", "absent"):
        rows = [Rows(g.indices, g.values * 4.0, others) for g in rows_of(lib, others)]
        _, got = adam.step(params, rows, adam.init(params), clip=clip, grad_scale=4.0)
        _, want = adam.step(params, [lib(dense_of(k)) for k in range(3)], adam.init(params), clip=clip)
        for x, y in zip(got.m, want.m, strict=True):
            np.testing.assert_allclose(lib.numpy(x), lib.numpy(y), rtol=1e-13)


@LIBRARIES
def test_masks_and_absent_leaves(lib: Any) -> None:
    adam, params = Adam(lr=0.1), [lib(p) for p in P]
    mask = RNG.random((6, 3)) < 0.5
    present = [lib(mask, "bool"), False, True]
    new, state = adam.step(params, rows_of(lib, "absent"), adam.init(params), present=present)
    moved = lib.numpy(new[0]) != P[0]
    np.testing.assert_array_equal(moved, mask & mask_of(0))
    assert new[1] is params[1]
    assert [int(t) for t in state.t] == [1, 0, 1]


@LIBRARIES
def test_complex_rows(lib: Any) -> None:
    adam, p = Adam(lr=0.1, b1=0.5, complex="modulus"), [lib(np.ones(3), "complex128")]
    g = Rows(lib([2, 2], "int32"), lib([1 + 1j, 2 - 3j], "complex128"), "absent")
    _, state = adam.step(p, [g], adam.init(p))
    np.testing.assert_allclose(lib.numpy(state.m[0]), [0, 0, 1.5 - 1j], rtol=1e-15)


@pytest.mark.parametrize("library", ["torch", pytest.param("jax", marks=pytest.mark.slow)])
def test_narrow_rows_are_added_up_in_float32(library: str) -> None:
    """In bfloat16 1 + 1/256 is 1."""
    adam = Adam(moment_dtype="float32", b1=0.5)
    p = narrow_array(library, np.zeros((4, 1)), "bfloat16")
    values = narrow_array(library, [[1.0], [1 / 256]], "bfloat16")
    indices = narrow_array(library, [2, 2], "float32")
    indices = indices.astype("int32") if library == "jax" else indices.int()
    for others in ("zero", "absent"):
        _, state = adam.step(p, Rows(indices, values, others), adam.init(p))
        assert as_float64(state.m)[2, 0] == 0.5 * (1 + 1 / 256)


AT_RANDOM: Any = {"p_storage": "stochastic", "m_storage": "stochastic", "v_storage": "stochastic"}


@pytest.mark.parametrize(
    "settings", [AT_RANDOM, {"p_storage": "stochastic"}, {"p_storage": "split"}, {"m_storage": "companded8"}]
)
def test_policies_of_storage(settings: Any) -> None:
    """Random bits are those of an element's place; rows that cut blocks are stepped under a mask."""
    torch = pytest.importorskip("torch")
    adam = Adam(lr=0.01, **settings)
    p = torch.tensor(RNG.normal(size=(40, 5))).to(torch.bfloat16)
    g = torch.zeros_like(p)
    indices = torch.tensor([3, 17, 39])
    g[indices] = torch.tensor(RNG.normal(size=(3, 5))).to(torch.bfloat16)
    mask = torch.zeros(40, 5, dtype=torch.bool)
    mask[indices] = True
    want, want_state = adam.step(p, g, adam.init(p), present=mask)
    got, state = adam.step(p, Rows(indices, g[indices], "absent"), adam.init(p))
    for x, y in zip([got, *state], [want, *want_state], strict=True):
        assert (x is None and y is None) or torch.equal(x, y)


@pytest.mark.parametrize("library", storage_runs.LIBRARIES)
def test_rows_are_rounded_by_the_bits_of_their_places_in_every_library(library: str) -> None:
    """As NumPy's step of the whole array under a mask; with b1 and b2 powers of 2 none rounds otherwise."""
    adam = Adam(lr=0.125, b1=0.5, b2=0.75, seed=3, **AT_RANDOM)
    start, given, indices = RNG.normal(size=(40, 5)), RNG.normal(size=(2, 3, 5)), np.array([3, 17, 39])

    def array(library: str, x: Any) -> Any:
        return storage_runs.array(library, x, "bfloat16")

    mask = np.broadcast_to(np.isin(np.arange(40), indices)[:, None], (40, 5))
    want, got = array("numpy", start), array(library, start)
    state, rows_state = adam.init(want), adam.init(got)
    listed = pytest.importorskip(library)
    listed = (listed.numpy if library == "jax" else listed).asarray(indices)
    for values in given:
        g = np.zeros((40, 5))
        g[indices] = values
        want, state = adam.step(want, array("numpy", g), state, present=mask)
        rows = Rows(listed, array(library, values), "absent")
        got, rows_state = adam.step(got, rows, rows_state)
        for x, y in ((got, want), (rows_state.m, state.m), (rows_state.v, state.v)):
            assert storage_runs.numbers(x).tobytes() == storage_runs.numbers(y).tobytes()


def test_one_program_for_all_indices() -> None:
    """Under jit indices are data; those outside of the array are left out, since nobody can look."""
    jax = pytest.importorskip("jax")
    traces = []

    @jax.jit
    def program(p: Any, indices: Any, values: Any, state: Any) -> Any:
        traces.append(1)
        clip = Clip(global_norm=1.0)
        return adam.step(p, Rows(indices, values, "absent"), state, clip=clip)

    adam, p = Adam(lr=0.1, b1=0.5), jax.numpy.asarray(P[0], "float32")
    values = jax.numpy.asarray(RNG.normal(size=(4, 3)), "float32")
    for listed in ([4, 1, 4, 0], [2, 2, 2, 2], [5, -1, 6, 3]):
        new, state = program(p, jax.numpy.asarray(listed), values, adam.init(p))
        inside = [i for i in listed if 0 <= i < 6]
        own = np.asarray(values)[[i in inside for i in listed]]
        want, want_state = adam.step(
            P[0].astype("f"),
            Rows(np.array(inside), own, "absent"),
            adam.init(P[0].astype("f")),
            clip=Clip(global_norm=1.0),
        )
        np.testing.assert_allclose(new, want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(state.m, want_state.m, rtol=1e-5, atol=1e-6)
    assert len(traces) == 1


def test_as_torchs_sparse_adam() -> None:
    torch = pytest.importorskip("torch")
    p = torch.nn.Parameter(torch.tensor(P[0]))
    theirs = torch.optim.SparseAdam([p], lr=0.05)
    adam, ours = Adam.like("torch.SparseAdam", lr=0.05), [P[0].copy()]
    state = adam.init(ours)
    for step in range(5):
        indices, values = np.array([step, 1, step]), RNG.normal(size=(3, 3))
        p.grad = torch.sparse_coo_tensor(
            torch.tensor(indices[None]), torch.tensor(values), (6, 3), check_invariants=True
        )
        theirs.step()
        ours, state = adam.step(ours, [Rows(indices, values, "absent")], state, donate=True)
    np.testing.assert_allclose(ours[0], p.detach().numpy(), rtol=1e-12)


def test_donated_rows_are_written_in_place() -> None:
    p, adam = P[0].copy(), Adam()
    state = adam.init(p)
    new, after = adam.step(p, Rows(np.array([1]), np.ones((1, 3)), "absent"), state, donate=True)
    assert new is p
    assert after.m is state.m


@pytest.mark.parametrize(
    ("g", "message"),
    [
        (
            Rows(np.array([0.5]), np.ones((1, 3))),
            "grads.indices is of float64 and shape .1,.: expected a vector",
        ),
        (Rows(np.array([[0]]), np.ones((1, 3))), "expected a vector of whole numbers"),
        (
            Rows(np.array([0]), np.ones((2, 3))),
            "grads.values is of float64 and shape .2, 3.: expected float64",
        ),
        (Rows(np.array([0]), np.ones((1, 3), "f")), "grads.values is of float32"),
        (Rows(np.array([6]), np.ones((1, 3))), "grads.indices has 6 to 6: expected 0 to 5"),
        (Rows(np.array([-1]), np.ones((1, 3))), "grads.indices has -1 to -1"),
        (Rows([0], np.ones((1, 3))), "grads.indices is list: expected an array of numpy"),
    ],
)
def test_rows_that_do_not_fit(g: Any, message: str) -> None:
    adam = Adam()
    with pytest.raises(GradientError, match=message):
        adam.step(P[0], g, adam.init(P[0]))


def test_what_has_no_rows() -> None:
    adam, g = Adam(), Rows(np.array([0]), np.ones(1))
    with pytest.raises(GradientError, match="which has none"):
        adam.step(np.ones(()), g, adam.init(np.ones(())))
    with pytest.raises(GradientError, match=r"where params\['a'\] is None"):
        adam.step({"a": None, "b": np.ones(1)}, {"a": g, "b": None}, adam.init({"a": None, "b": np.ones(1)}))
    with pytest.raises(GradientError, match="others='none'"):
        Rows(g.indices, g.values, others="none")  # type: ignore[arg-type]
    strict = pytest.importorskip("array_api_strict")
    p = strict.asarray([1.0, 2.0])
    with pytest.raises(BackendError, match="give the dense gradient"):
        adam.step(p, Rows(strict.asarray([0]), strict.asarray([1.0])), adam.init(p))
