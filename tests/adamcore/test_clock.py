"""Clocks and learning rates (CLK.1-4, LR.1, F6), on every library."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_trees import bits, started

from adamcore import Adam
from adamcore.axes import AXES
from adamcore.errors import HyperparameterError, MissingGradientError


class TestSchedules:
    def test_sees_the_clock_of_the_update_being_made(self, lib: Any) -> None:
        seen: list[object] = []

        def schedule(t: Any) -> float:
            seen.append(t)
            return 0.1 * t

        opt, p = Adam(lr=schedule), {"a": lib([1.0]), "b": lib([1.0])}
        state = opt.init(p)
        p, state = opt.step(p, {"a": lib([1.0]), "b": None}, state)
        p, state = opt.step(p, {"a": lib([1.0]), "b": lib([1.0])}, state)
        assert seen == [1, 2, 1]
        assert all(type(t) is int for t in seen)
        np.testing.assert_allclose(lib.numpy(p["b"]), 1 - 0.1, rtol=1e-7)

    def test_lr_overrides(self, lib: Any) -> None:
        p = lib([1.0])
        for lr in (0.25, np.float64(0.25), np.asarray(0.25), lib(0.25), lambda t: lib(0.25 * t)):
            q, _ = Adam(lr=9.0, eps=0.0).step(p, p, Adam().init(p), lr=lr)
            np.testing.assert_allclose(lib.numpy(q), 0.75)

    def test_lr_zero_moves_only_moments(self, lib: Any) -> None:
        p = lib([1.0])
        q, state = Adam(lr=0.0).step(p, p, Adam().init(p))
        assert lib.numpy(q) == 1.0
        assert lib.numpy(state.m) != 0


class TestDecaySchedules:
    """LR.5: what lr can be in a step, weight_decay can be."""

    def test_weight_decay_overrides(self, lib: Any) -> None:
        p, zero = lib([1.0, -2.0]), lib([0.0, 0.0])
        opt = Adam(lr=0.5, weight_decay=9.0, decay="decoupled")
        for wd in (0.5, np.float64(0.5), np.asarray(0.5), lib(0.5), lambda t: lib(0.5 * t)):
            q, _ = opt.step(p, zero, opt.init(p), weight_decay=wd)
            np.testing.assert_allclose(lib.numpy(q), [0.75, -1.5])
        q, _ = opt.step(p, zero, opt.init(p), weight_decay=0.0)
        np.testing.assert_allclose(lib.numpy(q), [1.0, -2.0])

    @pytest.mark.parametrize("kind", AXES["decay"])
    @pytest.mark.parametrize("donate", [False, True])
    def test_a_schedule_is_another_adam_in_each_step(self, lib: Any, kind: Any, donate: bool) -> None:
        """The decay is in each step that of an Adam made with that step's value, with machine code too."""
        opt, seen = Adam(lr=0.5, decay=kind), []

        def schedule(t: Any) -> float:
            seen.append(t)
            return 0.25 * (t % 3)

        p, q = lib([1.0, -2.0, 4.0]), lib([1.0, -2.0, 4.0])
        state, other = opt.init(p), opt.init(q)
        for t in range(1, 6):
            g = lib([1.0, -0.5, 0.25 * t])
            p, state = opt.step(p, g, state, lr=0.5 / t, weight_decay=schedule, donate=donate)
            fixed = replace(opt, weight_decay=0.25 * (t % 3))
            q, other = fixed.step(q, g, other, lr=0.5 / t, donate=donate)
            assert lib.bits(p) == lib.bits(q)
        assert seen == [1, 2, 3, 4, 5]

    def test_bad_values_are_refused(self) -> None:
        p, opt = np.ones(2), Adam()
        for bad, words in (
            (-1.0, "weight_decay=-1.0"),
            (np.ones(2), r"weight_decay is an array of float64 and shape \(2,\)"),
            ("much", "weight_decay='much'"), (lambda t: float("nan"), "weight_decay=nan"),
        ):  # fmt: skip
            with pytest.raises(HyperparameterError, match=words):
                opt.step(p, p, opt.init(p), weight_decay=bad)


class TestClock:
    def test_python_int(self) -> None:
        p, opt = np.ones(2), Adam()
        _, state = opt.step(p, p, opt.init(p)._replace(t=4))
        assert state.t == 5
        assert type(state.t) is int

    @pytest.mark.parametrize("nesterov", ["none", "optax", "dozat"])
    def test_saturates(self, lib: Any, nesterov: Any) -> None:
        p, opt = lib([1.0]), Adam(nesterov=nesterov)
        state = opt.init(p)._replace(t=lib(2**31 - 1, "int32"))
        q, state = opt.step(p, p, state)
        assert int(state.t) == 2**31 - 1
        assert "int32" in str(state.t.dtype)
        assert np.isfinite(lib.numpy(q)).all()

    def test_global_is_one(self, lib: Any) -> None:
        opt = Adam(clock="global", nesterov="dozat")
        p = {"a": lib([1.0]), "b": lib([2.0])}
        state = opt.init(p)
        assert int(state.t) == 0
        _, state = opt.step(p, p, state)
        assert int(state.t) == 1
        each = Adam(nesterov="dozat")
        _, other = each.step(p, p, each.init(p))
        assert float(state.mu_product) == float(other.mu_product["a"])


class TestGlobalClock:
    def test_f6_ticks_for_absent_leaves(self, lib: Any) -> None:
        opt = Adam(clock="global", amsgrad="uncorrected")
        params, state = started(lib, opt)
        before = bits(lib, params, state, "c", clock=False)
        params, state = opt.step(params, {"b": lib([1.0, 1.0]), "c": None}, state)
        assert bits(lib, params, state, "c", clock=False) == before
        assert int(state.t) == 3

    @pytest.mark.parametrize(("all_missing", "t"), [("tick", 3), ("hold", 2)])
    def test_all_absent(self, lib: Any, all_missing: Any, t: int) -> None:
        opt = Adam(clock="global", all_missing=all_missing)
        params, state = started(lib, opt)
        _, state = opt.step(params, {"b": None, "c": None}, state)
        assert int(state.t) == t

    def test_all_absent_is_an_error(self, lib: Any) -> None:
        opt = Adam(clock="global", all_missing="error")
        params, state = started(lib, opt)
        with pytest.raises(MissingGradientError, match="all_missing='error'"):
            opt.step(params, {"b": None, "c": None}, state)
        _, state = opt.step(params, {"b": None, "c": lib([1.0, 1.0])}, state)
        assert int(state.t) == 3
