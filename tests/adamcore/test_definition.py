"""The definition against the papers' own lines, in Python's floats, and what must hold of its parts."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from fast import adams, at

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.definition import add_weighted, average, coefficients, update

GRADIENTS = [0.5, -0.25, 1e-3, 2.0, 0.0, 0.125]
HYPER: dict[str, Any] = {"lr": 0.1, "b1": 0.75, "b2": 0.875, "eps": 1e-3}


def run(adam: Adam, p: float = 1.0) -> list[float]:
    """Return the parameter after each step."""
    m = v = v_max = 0.0
    mu_product = 1.0 if adam.nesterov == "dozat" else None
    found = []
    for t, g in enumerate(GRADIENTS, 1):
        c = coefficients(Host(), adam, t, adam.lr, mu_product)
        [(p, m)], v, new_max = update(np, adam, c, [(p, g, m)], v, v_max)
        mu_product, v_max = c.mu_product, v_max if new_max is None else new_max
        found.append(float(p))
    return found


def algorithm_1(p: float = 1.0, l2: float = 0.0, decoupled: float = 0.0) -> list[float]:
    """Kingma and Ba (2015), Algorithm 1, and Loshchilov and Hutter (2019), Algorithm 2."""
    lr, b1, b2, eps = HYPER.values()
    m = v = 0.0
    found = []
    for t, gradient in enumerate(GRADIENTS, 1):
        g = gradient + l2 * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        p = p - (lr * m_hat / (math.sqrt(v_hat) + eps) + decoupled * p)
        found.append(p)
    return found


def test_algorithm_1_of_the_paper() -> None:
    assert run(Adam(**HYPER)) == pytest.approx(algorithm_1(), rel=1e-13)


def test_l2_and_decoupled_decay_of_the_second_paper() -> None:
    adam = Adam(**HYPER, weight_decay=0.25)
    assert run(adam) == pytest.approx(algorithm_1(l2=0.25), rel=1e-13)
    unscaled = replace(adam, decay="decoupled-unscaled")
    assert run(unscaled) == pytest.approx(algorithm_1(decoupled=0.25), rel=1e-13)
    scaled = replace(adam, decay="decoupled")
    assert run(scaled) == pytest.approx(algorithm_1(decoupled=0.25 * HYPER["lr"]), rel=1e-13)


def cautious(p: float, after: bool) -> list[float]:
    """Chen and others (2025), Algorithm 1 over AdamW; with ``after`` decay is of the updated parameter."""
    lr, b1, b2, eps = HYPER.values()
    m = v = 0.0
    found = []
    for t, g in enumerate(GRADIENTS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        u = m / (1 - b1**t) / (math.sqrt(v / (1 - b2**t)) + eps)
        decaying = p - lr * u if after else p
        p = p - lr * u - lr * 0.5 * (decaying if u * decaying >= 0 else 0.0)
        found.append(p)
    return found


@pytest.mark.parametrize("start", [1.0, -1.0, 0.05, -0.05])
@pytest.mark.parametrize("order", ["before", "after"])
def test_cautious_decay_of_the_paper(start: float, order: Any) -> None:
    adam = Adam(**HYPER, weight_decay=0.5, decay="decoupled", cautious_decay=True, decay_order=order)
    assert run(adam, start) == pytest.approx(cautious(start, order == "after"), rel=1e-14)


@pytest.mark.parametrize("p", [1.0, -1.0])
def test_cautious_decay_is_of_a_parameter_whose_step_is_0(p: float) -> None:
    adam = Adam(lr=0.5, weight_decay=0.5, decay="decoupled", cautious_decay=True)
    c = coefficients(Host(), adam, 1, 0.5)
    [(after, _)], _, _ = update(np, adam, c, [(p, 0.0, 0.0)], 0.0)
    assert after == 0.75 * p


def test_the_mask_of_cautious_decay_does_not_underflow() -> None:
    """The product of a tiny parameter and its step is 0, while their signs differ."""
    p, g = np.float32(2.0**-90), np.float32(-(2.0**-80))
    adam = Adam(lr=0.5, eps=1.0, weight_decay=0.5, decay="decoupled", cautious_decay=True)
    c = coefficients(Host(), adam, 1, 0.5)
    zero = np.float32(0.0)
    assert p * (g * np.float32(0.5)) == 0.0
    [(after, _)], _, _ = update(np, adam, c, [(p, g, zero)], zero)
    [(plain, _)], _, _ = update(
        np, replace(adam, weight_decay=0.0), c._replace(decay=None), [(p, g, zero)], zero
    )
    assert after == plain


@pytest.mark.parametrize(("kind", "power"), [("decoupled-relative", 1), ("decoupled-squared", 2)])
def test_decay_relative_to_lr_max(kind: Any, power: int) -> None:
    """The fraction of p that decays, as FlashOptim and timm form it, for an lr above lr_max and below it."""
    adam = Adam(lr=0.25, weight_decay=0.5, decay=kind)
    assert adam.lr_max == 0.25
    for lr in (0.5, 0.25, 0.0625, 0.0):
        assert coefficients(Host(), adam, 1, lr).decay == pytest.approx(lr**power / 0.25 * 0.5, rel=1e-15)
        other = coefficients(Host(), replace(adam, lr_max=2.0), 1, lr)
        assert other.decay == pytest.approx(lr**power / 2.0 * 0.5, rel=1e-15)


def test_to_maximize_is_to_minimize_the_negated_function() -> None:
    for adam in adams(50):
        minimized = update(np, replace(adam, maximize=False), at(adam), [(1.0, -0.5, 0.25)], 0.5, 0.75)
        assert update(np, replace(adam, maximize=True), at(adam), [(1.0, 0.5, 0.25)], 0.5, 0.75) == minimized


def test_the_two_forms_of_an_average_are_one_number() -> None:
    old, new, w = Fraction(3, 7), Fraction(-2, 5), Fraction(1, 1000)
    assert average(old, new, None, w) == average(old, new, 1 - w, w) == (1 - w) * old + w * new
    assert add_weighted(old, new, None, w) == add_weighted(old, new, 1 - w, w) == (1 - w) * old + new


def test_the_maximum_never_falls() -> None:
    for adam in (Adam(amsgrad="uncorrected"), Adam(amsgrad="corrected")):
        _, v, v_max = update(np, adam, at(adam), [(1.0, 0.0, 0.0)], 0.5, 1000.0)
        assert v < 0.5
        assert v_max == 1000.0


def test_a_modulus_has_one_second_moment_for_both_parts() -> None:
    adam = Adam(b2=0.0, complex="modulus")
    parts, v, _ = update(np, adam, at(adam), [(0.0, 3.0, 0.0), (0.0, 4.0, 0.0)], 0.0)
    assert v == 25.0
    assert parts[1][1] / parts[0][1] == pytest.approx(4 / 3)


def test_arrays_are_not_modified() -> None:
    for adam in adams(50):
        given = [np.full(3, x) for x in (1.0, 0.5, 0.25, 0.125, 2.0)]
        p, g, m, v, v_max = given
        update(np, adam, at(adam), [(p, g, m)], v, v_max)
        assert [x.tolist() for x in given] == [[x] * 3 for x in (1.0, 0.5, 0.25, 0.125, 2.0)]
