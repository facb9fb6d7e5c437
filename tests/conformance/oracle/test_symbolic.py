"""The definition run with symbols prints Algorithm 1."""

from __future__ import annotations

from adamcore.conformance.oracle import symbolic


def test_algorithm_1_by_heart() -> None:
    assert list(symbolic.equations().items()) == [
        ("m_t", r"\beta_1 m_{t-1} + \left(1 - \beta_1\right) g_t"),
        ("v_t", r"\beta_2 v_{t-1} + \left(1 - \beta_2\right) g_t^{2}"),
        (
            "p_t",
            r"p_{t-1} - \frac{\alpha}{1 - \beta_1^{t}}"
            r" \frac{m_t}{\sqrt{v_t} / \sqrt{1 - \beta_2^{t}} + \epsilon}",
        ),
    ]
