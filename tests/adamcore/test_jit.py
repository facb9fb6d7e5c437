"""Under jax.jit, scan, vmap and torch.compile: the same numbers, and one compilation."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState

KINDS: list[dict[str, Any]] = [
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decay": "decoupled", "amsgrad": "uncorrected", "nesterov": "dozat"},
    {"amsgrad": "corrected", "nesterov": "optax", "clock": "global", "epsilon": "inside-uncorrected"},
]
KIND = pytest.mark.parametrize("kind", KINDS, ids=["l2", "dozat", "global"])

# Dynamo remarks, once, that it looks through the cache of the logarithms of b1 and b2
LRU = pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")


class TestJax:
    @KIND
    def test_one_compilation(self, kind: dict[str, Any]) -> None:
        jax = pytest.importorskip("jax")
        jnp, opt, traces = jax.numpy, Adam(**kind), []

        def traced(params: Any, grads: Any, state: Any, lr: Any, mask: Any) -> Any:
            traces.append(1)
            return opt.step(params, grads, state, lr=lr, present={"a": True, "b": mask})

        step = jax.jit(traced)
        params = {"a": jnp.ones(3), "b": jnp.ones(2)}
        state, eager, eager_state = opt.init(params), params, opt.init(params)
        for k in range(1, 5):
            g = {"a": jnp.asarray([k, -1.0, 2.0]), "b": jnp.asarray([1.0, 2.0]) * k}
            mask = jnp.asarray([k % 2 == 0, True])
            params, state = step(params, g, state, 0.1 * k, mask)
            eager, eager_state = opt.step(
                eager, g, eager_state, lr=np.float32(0.1 * k), present={"a": True, "b": mask}
            )
            jax.tree.map(
                lambda x, y: np.testing.assert_allclose(x, y, rtol=3e-6, atol=1e-6),
                (params, state),
                (eager, eager_state),
            )
        assert len(traces) == step._cache_size() == 1

    def test_adam_is_static(self) -> None:
        jax = pytest.importorskip("jax")
        step = jax.jit(Adam.step, static_argnums=0)
        p = jax.numpy.ones(3)
        for opt in (Adam(lr=0.5), Adam(lr=0.5), Adam(lr=np.float64(0.5))):
            q, _ = step(opt, p, p, opt.init(p))
            np.testing.assert_allclose(q, 0.5, rtol=1e-6)
        assert step._cache_size() == 1

    def test_schedule_is_traced(self) -> None:
        jax = pytest.importorskip("jax")
        opt = Adam(lr=lambda t: 0.1 / t)
        p, step = jax.numpy.ones(3), jax.jit(opt.step)
        q, state = step(p, p, opt.init(p))
        q, state = step(q, p, state)
        assert step._cache_size() == 1
        np.testing.assert_allclose(q, 0.9 - 0.05, rtol=1e-6)

    @KIND
    def test_scan(self, kind: dict[str, Any]) -> None:
        jax = pytest.importorskip("jax")
        opt, p = Adam(lr=0.1, **kind), {"w": jax.numpy.ones(3)}

        def body(carry: Any, g: Any) -> Any:
            return opt.step(carry[0], {"w": g}, carry[1]), None

        gs = jax.numpy.asarray(np.random.default_rng(0).normal(size=(6, 3)), dtype="float32")
        (q, state), _ = jax.lax.scan(body, (p, opt.init(p)), gs)
        r, want = p, opt.init(p)
        for g in gs:
            r, want = opt.step(r, {"w": g}, want)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=3e-6), (q, state), (r, want))

    def test_vmap(self) -> None:
        jax = pytest.importorskip("jax")
        opt, p = Adam(), jax.numpy.asarray([[1.0, 2.0], [3.0, 4.0]])
        state = jax.vmap(opt.init)(p)
        q, _ = jax.vmap(lambda p, s, lr: opt.step(p, p, s, lr=lr))(p, state, jax.numpy.asarray([0.1, 0.5]))
        np.testing.assert_allclose(q, [[0.9, 1.9], [2.5, 3.5]], rtol=1e-6)

    def test_donation_is_left_to_the_callers_jit(self) -> None:
        jax = pytest.importorskip("jax")
        opt, p = Adam(lr=0.5), jax.numpy.ones(2)
        state = opt.init(p)
        q, _ = jax.jit(lambda p, s: opt.step(p, p, s, donate=True))(p, state)
        assert p.tolist() == [1.0, 1.0]
        np.testing.assert_allclose(q, 0.5, rtol=1e-6)

    @pytest.mark.parametrize(("x64", "ulp"), [(True, 3.0), (False, 1.5)])
    def test_traced_coefficients_are_good(self, x64: bool, ulp: float) -> None:
        jax = pytest.importorskip("jax")
        with jax.enable_x64(x64):
            opt, p = Adam(lr=1.0, b1=0.0, bias_correction="second", eps=0.0), jax.numpy.ones(1)
            state = opt.init(p)
            for t in (1, 2, 1000, 10**6):
                late = state._replace(t=jax.numpy.asarray(t - 1, "int32"), v=jax.numpy.ones(1))
                q, _ = jax.jit(opt.step)(p, p, late)
                want = -np.expm1(t * np.log1p(np.float64(opt.b2) - 1))
                got = (1.0 - np.asarray(q, dtype=float)) ** 2
                eps = np.finfo(np.asarray(q).dtype).eps
                assert abs(got / want - 1) < (2 * ulp + 8) * eps * max(1, 1 / np.sqrt(want))


class Counting:
    """A backend of torch.compile that counts its compilations, and leaves them to another one, if given."""

    def __init__(self, backend: str | None = None) -> None:
        self.count, self.backend = 0, backend

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.count += 1
        if self.backend is None:
            return graph.forward
        import torch

        return torch._dynamo.lookup_backend(self.backend)(graph, inputs)


@LRU
class TestTorch:
    @pytest.mark.parametrize("kind", KINDS[1:], ids=["dozat", "global"])
    def test_one_compilation(self, kind: dict[str, Any]) -> None:
        torch = pytest.importorskip("torch")
        torch._dynamo.reset()
        opt, counting = Adam(**kind), Counting()

        def step(params: Any, grads: Any, state: Any, lr: Any, mask: Any, flag: Any) -> Any:
            return opt.step(params, grads, state, lr=lr, present={"a": flag, "b": mask})

        compiled = torch.compile(step, backend=counting, fullgraph=True)
        params = {"a": torch.ones(3), "b": torch.ones(2)}
        state, eager, eager_state = opt.init(params), params, opt.init(params)
        for k in range(1, 5):
            g = {"a": torch.tensor([k, -1.0, 2.0]), "b": torch.tensor([1.0, 2.0]) * k}
            mask, flag, lr = torch.tensor([k % 2 == 0, True]), torch.tensor(k != 3), torch.tensor(0.1 * k)
            params, state = compiled(params, g, state, lr, mask, flag)
            eager, eager_state = step(eager, g, eager_state, lr, mask, flag)
            torch.testing.assert_close((params, state), (eager, eager_state), rtol=1e-6, atol=1e-8)
        assert counting.count == 1

    @pytest.mark.parametrize("name", ["lr", "weight_decay"])
    def test_a_float_is_an_input_of_the_program_that_autograd_traces(self, name: str) -> None:
        """As that of a product, which needs one program for the first number and one for all others."""
        torch = pytest.importorskip("torch")
        torch._dynamo.reset()
        opt, counting, product = Adam(decay="decoupled"), Counting("aot_eager"), Counting("aot_eager")

        def step(params: Any, grads: Any, state: Any, x: float) -> Any:
            number: Any = {name: x}
            return opt.step(params, grads, state, **number)

        compiled, multiply = (
            torch.compile(f, backend=c) for f, c in ((step, counting), (torch.mul, product))
        )
        params = torch.ones(3)
        state = opt.init(params)
        for k in range(1, 6):
            want, _ = step(params, torch.ones(3), state, 0.1 * k)
            params, state = compiled(params, torch.ones(3), state, 0.1 * k)
            torch.testing.assert_close(params, want)
            multiply(params, 0.1 * k)
        assert counting.count == product.count < 5

    @pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
    def test_backends(self, backend: str) -> None:
        torch = pytest.importorskip("torch")
        torch._dynamo.reset()
        opt = Adam(lr=0.1, weight_decay=0.1, decay="decoupled", amsgrad="corrected")
        params = [torch.ones(3), torch.ones(2, dtype=torch.bfloat16)]
        state, compiled = opt.init(params), torch.compile(opt.step, backend=backend, fullgraph=True)
        want, want_state = params, state
        for k in (1.0, 2.0):
            g = [k * torch.ones(3), -torch.ones(2, dtype=torch.bfloat16)]
            params, state = compiled(params, g, state)
            want, want_state = opt.step(want, g, want_state)
        torch.testing.assert_close((params, state), (want, want_state))

    def test_in_place(self) -> None:
        torch = pytest.importorskip("torch")
        torch._dynamo.reset()
        opt, p = Adam(lr=0.5), torch.ones(3)
        compiled = torch.compile(
            lambda p, g, s: opt.step(p, g, s, donate=True), backend="eager", fullgraph=True
        )
        compiled(p, torch.ones(3), opt.init(p))
        torch.testing.assert_close(p, torch.full((3,), 0.5))

    def test_vmap(self) -> None:
        torch = pytest.importorskip("torch")
        opt, p = Adam(), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        state = opt.init(p)._replace(t=torch.zeros(2, dtype=torch.int32))
        dims = AdamState(0, 0, 0, None, None)
        q = torch.func.vmap(lambda p, s, lr: opt.step(p, p, s, lr=lr)[0], (0, dims, 0))(
            p, state, torch.tensor([0.1, 0.5])
        )
        torch.testing.assert_close(q, torch.tensor([[0.9, 1.9], [2.5, 3.5]]))

    @pytest.mark.slow
    def test_nothing_was_run_before(self) -> None:
        """The backend is found inside the first trace of a fresh process too."""
        pytest.importorskip("torch")
        program = """
            import torch
            from adamcore import Adam, AdamState
            opt = Adam(lr=0.5)
            state = AdamState(torch.zeros((), dtype=torch.int32), torch.zeros(2), torch.zeros(2))
            step = torch.compile(opt.step, backend="eager")
            print(step(torch.ones(2), torch.ones(2), state)[0].tolist())
        """
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
        assert [round(x, 6) for x in eval(ran.stdout)] == [0.5, 0.5]


def test_b2_of_zero_forgets_inside_jit() -> None:
    """With b2=0 the second moment is the squared gradient, whatever large one went before (MOM.2)."""
    import jax
    import jax.numpy as jnp

    opt = Adam(lr=0.5, b1=0.0, b2=0.0, eps=0.0)
    params = {"w": jnp.zeros(2)}
    step = jax.jit(opt.step)
    state = opt.init(params)
    for g in (4096.0, 2.0**-12):  # the second square is far below the last place of the first
        params, state = step(params, {"w": jnp.full(2, g)}, state)
    assert float(state.m["w"][0]) == 2.0**-12
    assert float(state.v["w"][0]) == 2.0**-24
    assert float(params["w"][0]) == -1.0
