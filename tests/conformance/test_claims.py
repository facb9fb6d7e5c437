"""Claims by dialect, option and target."""

from __future__ import annotations

import pytest

from adamcore import AXES, Adam
from adamcore.conformance.claims import (
    all_claims,
    axes_of,
    claim_for,
    claim_from,
    claim_of_dialect,
    named_claims,
    with_keeping,
)
from adamcore.dialects import DIALECTS
from adamcore.errors import DialectError


def test_axes_and_claims_are_each_others_inverse() -> None:
    claim = Adam(epsilon="inside-corrected", clock="global", lr=0.5)
    assert axes_of(claim_from(axes_of(claim))) == axes_of(claim)
    assert set(axes_of(claim)) == set(AXES)


def test_options_of_a_dialect_change_its_claim_and_its_name() -> None:
    plain, amsgrad = (claim_of_dialect("torch.Adam", s) for s in ({}, {"amsgrad": "True"}))
    assert (plain.name, amsgrad.name) == ("torch.Adam", "torch.Adam(amsgrad=True)")
    assert (plain.adam.amsgrad, amsgrad.adam.amsgrad) == ("none", "uncorrected")


def test_a_setting_that_is_no_option_leaves_the_claim_alone() -> None:
    plain = claim_of_dialect("torch.Adam")
    assert claim_of_dialect("torch.Adam", {"foreach": "True"}) == plain
    assert claim_of_dialect("torch.Adam", {"amsgrad": "False"}) == plain


@pytest.mark.parametrize(
    ("target", "chosen", "own", "name"),
    [
        ("torch.optim:Adam", None, None, "torch.Adam"),
        ("torch.optim:Adam", "keras.Adam", None, "keras.Adam"),
        ("mine.py:Adam", None, "optax.adam", "optax.adam"),
        ("mine.py:Adam", None, None, "paper"),
    ],
)
def test_the_claim_of_a_target(target: str, chosen: str | None, own: str | None, name: str) -> None:
    assert claim_for(target, chosen, own).name == name


def test_how_numbers_are_kept_leaves_the_defaults_of_the_dialect() -> None:
    """The AMSGrad of the paper has no eps, in 16 bits too."""
    kept = with_keeping(claim_of_dialect("paper.AMSGrad"), {"p_storage": "split"})
    assert kept.adam.p_storage == "split"
    assert kept.defaults["eps"] == 0.0
    assert hash(kept) == hash(kept)


def test_an_unknown_dialect_is_an_error_with_the_nearest_names() -> None:
    with pytest.raises(DialectError, match=r"torch\.AdamW"):
        claim_of_dialect("torch.AdamX")


def test_every_dialect_has_a_claim() -> None:
    assert [claim.name for claim in all_claims()] == list(DIALECTS)


def test_every_dialect_is_named_alone_and_with_its_options() -> None:
    named = named_claims()
    assert set(DIALECTS) <= set(named)
    assert named["torch.Adam(amsgrad=True)"] == claim_of_dialect("torch.Adam", {"amsgrad": "True"}).adam
    both = claim_of_dialect("torch.Adam", {"amsgrad": "True", "maximize": "True"})
    assert named[both.name] == both.adam


def test_rows_that_were_measured_say_what_the_packages_do() -> None:
    """Chainer 7.8.1 makes an absent gradient a zero one; thinc 9.1.1 has float32 alone, with its scalars."""
    assert DIALECTS["chainer.Adam"].adam().missing == "zero"
    assert DIALECTS["thinc.Adam"].adam().coefficients == "working"
