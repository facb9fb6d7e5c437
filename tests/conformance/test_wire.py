"""Probes and runs as JSON: they arrive bit for bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from worker_runs import G, P

from adamcore.conformance.probes.design import resumed
from adamcore.conformance.types import Moments, Probe, Run, Step
from adamcore.conformance.wire import pack_array, pack_probe, pack_run, unpack_array, unpack_probe, unpack_run


def test_arrays_survive_the_wire() -> None:
    nan = np.array([0x7FF8000000000123], dtype="uint64").view("float64")
    for array in (
        nan,
        np.asarray([1, -0.0, np.inf], np.float32),
        np.array(1 + 2j),
        np.zeros((0, 3)),
        np.array([True, False]),
    ):
        back = unpack_array(pack_array(array))
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert back.tobytes() == array.tobytes()
        assert back.flags.writeable


def test_probes_and_runs_survive_the_wire() -> None:
    steps = (Step((G, None), lr=0.25), Step((G, G), present=(True, np.array([True, False]))))
    probe = unpack_probe(pack_probe(Probe("X.1/x", "", (P, P), steps, {"lr": 1.0})))
    assert probe.steps[0].grads[1] is None
    assert probe.steps[0].lr == 0.25
    assert probe.steps[1].present is not None
    np.testing.assert_array_equal(probe.steps[1].present[1], [True, False])
    run_ = unpack_run(pack_run(Run([[P]], error="Error: x", written=["gradient 0 in step 1"])))
    assert (run_.error, run_.unsupported, run_.written) == ("Error: x", None, ["gradient 0 in step 1"])
    np.testing.assert_array_equal(run_.params[0][0], P)


def test_changed_settings_groups_and_closures_survive_the_wire() -> None:
    steps = (Step((G, None), changes={"b1": 0.5}), Step((G, G)))
    probe = Probe("X.1/x", "", (P, P), steps, {"lr": 1.0}, manner="closure", groups=({"b1": 0.25}, {}))
    back = unpack_probe(pack_probe(probe))
    assert [step.changes for step in back.steps] == [{"b1": 0.5}, None]
    assert (back.groups, back.manner) == (({"b1": 0.25}, {}), "closure")
    assert [step.resumed for step in unpack_probe(pack_probe(resumed(probe, 1))).steps] == [False, True]
    run_ = unpack_run(pack_run(Run(closure=["called its closure 2 times in step 1"])))
    assert run_.closure == ["called its closure 2 times in step 1"]


def test_moments_survive_the_wire() -> None:
    run_ = unpack_run(pack_run(Run(moments=[[None, Moments(P, 2 * P)], [Moments(P, P, 3 * P), None]])))
    assert [[kept is None for kept in after] for after in run_.moments] == [[True, False], [False, True]]
    first, second = run_.moments[0][1], run_.moments[1][0]
    assert first is not None
    assert second is not None
    assert first.v_max is None
    np.testing.assert_array_equal(first.v, 2 * P)
    assert second.v_max is not None
    np.testing.assert_array_equal(second.v_max, 3 * P)


def test_every_field_of_a_run_is_on_the_wire() -> None:
    assert set(pack_run(Run())) == {field.name for field in fields(Run)}
    assert unpack_run(pack_run(Run(unheld=(0, 2)))).unheld == (0, 2)
