"""The report as data and as text."""

from __future__ import annotations

import numpy as np

from adamcore import Adam
from adamcore.numerics import Finding, NumericsReport


def test_it_is_true_if_something_is_lost() -> None:
    p = {"a": np.ones(3, dtype=np.float32)}
    assert not Adam().check_numerics(p)
    assert str(Adam().check_numerics(p)) == "nothing is lost"
    assert Adam(lr=1e-9).check_numerics(p)


def test_the_text_names_each_leaf_and_at_most_eight_of_a_kind() -> None:
    params = {f"w{i:02}": np.ones(3, dtype=np.float16) for i in range(20)}
    report = Adam(lr=1e-5, moment_dtype="float32").check_numerics(params)
    assert len(report.findings) == 20
    lines = str(report).splitlines()
    assert len(lines) == 9
    assert lines[0].startswith(
        "[step-lost] params['w00'], float16: a full step of lr=1e-05 does not move 100%"
    )
    assert lines[-1] == "[step-lost] and 12 more leaves"


def test_what_does_not_depend_on_values_is_one_finding() -> None:
    params = [np.zeros(3, dtype=np.float16), np.zeros(3, dtype=np.float32), np.zeros(3, dtype=np.float16)]
    [finding] = [f for f in Adam().check_numerics(params).findings if f.what == "v-stalls"]
    assert (finding.path, finding.others, finding.dtype) == ("params[0]", ("params[2]",), "float16")
    assert str(finding).startswith("params[0] and 1 more, float16: ")


def test_unread_leaves_are_named() -> None:
    report = NumericsReport((), ("params['a']", "params['b']"))
    assert str(report) == "nothing is lost\nnot looked at: the values of params['a'] and 1 more"
    assert str(Finding("x", "params", "float16", {}, "message")) == "params, float16: message"
