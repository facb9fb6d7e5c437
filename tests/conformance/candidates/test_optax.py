"""optax factories run under jit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from candidate_probes import G0, G1, probe

from adamcore import Adam
from adamcore.conformance import check
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Start, Step
from adamcore.conformance.verdict.judge import judge


def test_optax_runs_and_changes_its_learning_rate() -> None:
    pytest.importorskip("optax")
    [candidate] = load_candidates("optax:adam", [None], {}, None)
    assert candidate.info.lacks == ("weight_decay", "momentum_decay", "lr_max")
    assert candidate.info.flushes
    plain = candidate.run(probe(), "float32")
    same = candidate.run(probe(Step((G0, G1)), Step((-G0, G1), lr=0.5)), "float32")
    half = candidate.run(probe(Step((G0, G1)), Step((-G0, G1), lr=0.25)), "float32")
    assert plain.error is None
    assert same_bits(plain.params[1][0], same.params[1][0])
    moved = [r.params[1][0] - r.params[0][0] for r in (plain, half)]
    np.testing.assert_allclose(moved[1], moved[0] / 2, rtol=1e-5)


def test_a_rate_that_a_factory_does_not_take_is_not_set(tmp_path: Path) -> None:
    pytest.importorskip("optax")
    (tmp_path / "constant.py").write_text("import optax\ndef constant(): return optax.adam(0.25)\n")
    settings = {"lr": "0.25", "b1": "0.9", "b2": "0.999", "eps": "1e-8"}
    [candidate] = load_candidates(f"{tmp_path}/constant.py:constant", [None], settings, None)
    run = candidate.run(probe(Step((G0, G1)), Step((-G0, G1), lr=0.5)), "float32")
    assert run.unsupported == "it has no argument for lr, which the probe sets"
    assert candidate.run(probe(Step((G0, G1))), "float32").error is None


def test_optax_fails_on_an_absent_gradient_as_it_does() -> None:
    pytest.importorskip("optax")
    [candidate] = load_candidates("optax:adam", [None], {}, None)
    run = candidate.run(probe(Step((G0, G1)), Step((G0, None))), "float32")
    assert len(run.params) == 1
    assert run.error


GUARDED = """
import optax

def guarded(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    return optax.apply_if_finite(optax.adam(learning_rate, b1, b2, eps), 5)
"""


def test_a_transformation_that_skips_what_is_not_finite_is_asked_for_skipped_steps(tmp_path: Path) -> None:
    pytest.importorskip("optax")
    (tmp_path / "guarded_adam.py").write_text(GUARDED, encoding="utf-8")
    [guarded] = load_candidates(f"{tmp_path}/guarded_adam.py:guarded", [None], {}, None)
    [plain] = load_candidates("optax:adam", [None], {}, None)
    claim = Adam(coefficients="working", missing="error", clock="global")
    probe = PROBES["SCALE.2/skipped"].with_hyper(weight_decay=0.0)
    result = judge(claim, probe, "float32", guarded.run(probe, "float32"), flushes=True)
    assert (result.status, result.reason) == ("passed", "")
    others = "it skips the steps whose gradients are not finite, and no others"
    assert guarded.run(PROBES["SCALE.2/elsewhere"], "float32").unsupported == others
    assert guarded.run(PROBES["NF.1/nan"], "float32").unsupported == others
    assert guarded.run(PROBES["SCALE.1/one"], "float32").unsupported == "its step takes no loss scale"
    assert plain.run(probe, "float32").unsupported == "its step takes no found_inf"


CHAINED = """
import optax

def decoupled(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    adam = optax.scale_by_adam(b1, b2, eps)
    scale = optax.scale_by_learning_rate(learning_rate)
    return optax.chain(adam, optax.add_decayed_weights(weight_decay), scale)

def plain(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    return optax.chain(optax.scale_by_adam(b1, b2, eps), optax.scale_by_learning_rate(learning_rate))

made = plain(0.1)
"""


def test_a_factory_that_says_nothing_claims_the_adam_of_optax(tmp_path: Path) -> None:
    """Held to the paper's clocks and absent gradients, every transformation of optax would deviate."""
    pytest.importorskip("optax")
    (tmp_path / "chained.py").write_text(CHAINED, encoding="utf-8")
    for name, claimed in (("decoupled", "optax.adamw"), ("plain", "optax.adam")):
        target = f"{tmp_path}/chained.py:{name}"
        [candidate] = load_candidates(target, [None], {}, None)
        assert candidate.info.dialect == claimed
        [entry] = check(target, dtypes=["float32"], probes=["DEC.1/*", "STEP.1/fingerprint"]).entries
        assert (entry.verdict, entry.claimed) == ("conforms", claimed)
    with pytest.raises(CandidateError, match="a kernel: name the function that makes it"):
        load_candidates(f"{tmp_path}/chained.py:made", [None], {}, None)


KEEPING = """
import jax
import optax

def form_of_last(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    adam, forms = optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay), []

    def init(params):
        forms[:] = [jax.tree.structure(params)]
        return adam.init(params)

    def update(grads, state, params=None):
        updates, state = adam.update(grads, state, params)
        return forms[0].unflatten(jax.tree.leaves(updates)), state

    return optax.GradientTransformation(init, update)
"""


def test_a_transformation_that_is_begun_twice_keeps_nothing_of_the_second_time(tmp_path: Path) -> None:
    pytest.importorskip("optax")
    (tmp_path / "keeping_adam.py").write_text(KEEPING, encoding="utf-8")
    for target, kept in ((f"{tmp_path}/keeping_adam.py:form_of_last", True), ("optax:adamw", False)):
        [candidate] = load_candidates(target, [None], {}, None)
        run = candidate.run(PROBES["STATE.3/alike"], "float32")
        assert ("leaves" in (run.error or "")) is kept
        assert candidate.run(PROBES["STATE.3/beside"], "float32").error is None


PARTED = """
import optax

def parted(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, weight_decay=0.0):
    adam = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)
    return optax.partition({"a": adam, "b": adam}, lambda params: ["a", "b"] * (len(params) // 2))

def first_alone(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    adam = optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay)
    return optax.masked(adam, lambda params: [k == 0 for k in range(len(params))])

def flat(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    return optax.flatten(optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay))
"""


def test_states_in_parts_are_read_and_set(tmp_path: Path) -> None:
    """A mask leaves what it does not choose out of its part; moments are read where they have 16 bits."""
    pytest.importorskip("optax")
    (tmp_path / "parted.py").write_text(PARTED, encoding="utf-8")
    [parted] = load_candidates(f"{tmp_path}/parted.py:parted", [None], {}, None)
    [plain] = load_candidates("optax:adamw", [None], {}, None)
    for start in ((), (Start(7, G0, G0 * G0, G0 * G0), Start(7, G1, G1 * G1, G1 * G1))):
        given = replace(probe(Step((G0, G1)), Step((-G0, G1))), start=start)
        ran, other = parted.run(given, "bfloat16"), plain.run(given, "bfloat16")
        assert (ran.error, ran.unsupported) == (None, None)
        assert ran.clocks == other.clocks
        assert ran.clocks[-1][1] == (9 if start else 2)
        for kept, theirs in zip(ran.moments[-1], other.moments[-1], strict=True):
            assert kept is not None
            assert theirs is not None
            assert same_bits(kept.m, theirs.m)
            assert same_bits(kept.v, theirs.v)
        for moved, expected in zip(ran.params[-1], other.params[-1], strict=True):
            assert same_bits(moved, expected)


def test_what_a_mask_leaves_out_has_no_moments(tmp_path: Path) -> None:
    pytest.importorskip("optax")
    (tmp_path / "parted.py").write_text(PARTED, encoding="utf-8")
    [masked] = load_candidates(f"{tmp_path}/parted.py:first_alone", [None], {}, None)
    [flat] = load_candidates(f"{tmp_path}/parted.py:flat", [None], {}, None)
    given = probe(Step((G0, G1)))
    first, second = masked.run(given, "bfloat16").moments[0]
    assert first is not None
    assert second is None
    assert flat.run(given, "bfloat16").error is None
    begun = replace(given, start=(Start(7, G0, G0 * G0, G0 * G0), Start(7, G1, G1 * G1, G1 * G1)))
    assert flat.run(begun, "bfloat16").unsupported == "its moments are no list like the parameters"


INJECTED = """
import optax

def injected(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, weight_decay=0.0):
    adam = optax.inject_hyperparams(optax.adamw)(
        learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, weight_decay=weight_decay
    )
    return optax.chain(optax.identity(), adam)
"""


def test_what_injects_its_hyperparameters_itself_is_changed_where_it_has_them(tmp_path: Path) -> None:
    """Wrapped once more, it would keep the first values that it was made with."""
    pytest.importorskip("optax")
    (tmp_path / "injected.py").write_text(INJECTED, encoding="utf-8")
    [injected] = load_candidates(f"{tmp_path}/injected.py:injected", [None], {}, None)
    [plain] = load_candidates("optax:adamw", [None], {}, None)
    for step in (Step((-G0, G1), lr=0.25), Step((-G0, G1), changes={"b1": 0.75})):
        changed = probe(Step((G0, G1)), step)
        ran, other = (each.run(changed, "float32") for each in (injected, plain))
        assert (ran.error, ran.unsupported) == (None, None)
        for moved, expected in zip(ran.params[-1], other.params[-1], strict=True):
            np.testing.assert_allclose(moved, expected, rtol=1e-6)


DONATES = """
import jax
import optax


def donates(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0):
    inner = optax.adam(learning_rate, b1, b2, eps, eps_root)
    return optax.GradientTransformation(inner.init, jax.jit(inner.update, donate_argnums=(1,)))


def keeps(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0):
    inner = optax.adam(learning_rate, b1, b2, eps, eps_root)
    return optax.GradientTransformation(inner.init, jax.jit(inner.update))
"""


@pytest.mark.parametrize(
    ("name", "written"), [("donates", ["the state, whose memory it takes outside of jit"]), ("keeps", [])]
)
def test_a_state_that_is_donated_is_an_input_that_is_lost(
    tmp_path: Path, name: str, written: list[str]
) -> None:
    pytest.importorskip("optax")
    file = tmp_path / "donating.py"
    file.write_text(DONATES)
    [candidate] = load_candidates(f"{file}:{name}", [None], {}, None)
    run = candidate.run(replace(probe(), manner="fresh"), "float32")
    assert (run.error, run.written) == (None, written)
    assert candidate.run(probe(), "float32").written == []
