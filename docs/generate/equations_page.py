"""docs/equations.md: the definition run with symbols, for each value of each axis.

``python docs/generate/equations_page.py [FILE]`` writes the page.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from adamcore.conformance.oracle.symbolic import equations

FILE = Path(__file__).resolve().parents[1] / "equations.md"

L2 = {"weight_decay": True}
DECOUPLED = {"weight_decay": True, "decay": "decoupled"}
#: Title, rule, choices, and the choices it is compared with: equal lines are not printed again.
PAGE: tuple[tuple[str, str, dict[str, Any], dict[str, Any] | None], ...] = (
    ("Algorithm 1", "EPS.1, BC.1, BC.2", {}, None),
    ("epsilon: outside-uncorrected", "EPS.2", {"epsilon": "outside-uncorrected"}, {}),
    ("epsilon: inside-corrected", "EPS.3", {"epsilon": "inside-corrected"}, {}),
    ("epsilon: inside-uncorrected", "EPS.4", {"epsilon": "inside-uncorrected"}, {}),
    ("eps_root besides eps", "EPS.5", {"eps_root": True}, {}),
    ("bias_correction: first", "BC.1", {"bias_correction": "first"}, {}),
    ("bias_correction: second", "BC.2", {"bias_correction": "second"}, {}),
    ("bias_correction: none", "BC.1, BC.2", {"bias_correction": "none"}, {}),
    ("decay: l2", "DEC.1", L2, {}),
    ("decay: decoupled", "DEC.2", DECOUPLED, {}),
    ("decay: decoupled-unscaled", "DEC.3", {**L2, "decay": "decoupled-unscaled"}, {}),
    ("decay: decoupled-corrected", "DEC.4", {**L2, "decay": "decoupled-corrected"}, {}),
    ("decay: decoupled-relative", "DEC.7", {**L2, "decay": "decoupled-relative", "lr_max": True}, {}),
    ("decay: decoupled-squared", "DEC.8", {**L2, "decay": "decoupled-squared", "lr_max": True}, {}),
    ("decay_order: after", "DEC.5", {**DECOUPLED, "decay_order": "after"}, {}),
    ("cautious_decay: True", "DEC.6", {**DECOUPLED, "cautious_decay": True}, DECOUPLED),
    ("amsgrad: uncorrected", "AMS.1", {"amsgrad": "uncorrected"}, {}),
    ("amsgrad: corrected", "AMS.2", {"amsgrad": "corrected"}, {}),
    ("nesterov: dozat", "NES.1", {"nesterov": "dozat", "momentum_decay": True}, {}),
    ("nesterov: optax", "NES.2", {"nesterov": "optax"}, {}),
    ("nesterov: same-t", "NES.3", {"nesterov": "same-t"}, {}),
    ("maximize: True", "MAX.1", {"maximize": True}, {}),
    ("complex: modulus", "CPX.2", {"complex": "modulus"}, {}),
)
HEAD = r"""# Equations

<!-- Written by `make pages`; do not edit. -->

`adamcore/definition.py` run with symbols: one step of one element, for each value of each axis of
[the specification](spec.md). After Algorithm 1 only the lines that change are shown.

$p$ parameter, $g$ gradient, $m$ and $v$ moments, $t$ clock (1 in the first update), $\alpha$ learning
rate, $\alpha_\mathrm{max}$ `lr_max`,
$\lambda$ weight decay, $\epsilon_r$ `eps_root`, $\psi$ `momentum_decay`, $\tilde g$ the gradient
that enters the moments where it is not $g$, $\delta$ the step where it is written apart, $[a \geq 0]$ 1
where $a \geq 0$ and 0 elsewhere. The axes `missing`, `clock`, `all_missing` and
`coefficients` have no equation of their own.
"""


def page() -> str:
    """Return the text of docs/equations.md."""
    out = [HEAD]
    for title, rules, axes, beside in PAGE:
        lines = equations(**axes)
        if beside is not None:
            before = equations(**beside)
            lines = {left: right for left, right in lines.items() if before.get(left) != right}
        rows = " \\\\\n".join(f"{left} &= {right}" for left, right in lines.items())
        out.append(f"## {title}\n\n{rules}\n\n```math\n\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n```\n")
    return "\n".join(out)


if __name__ == "__main__":
    Path(*sys.argv[1:2] or [str(FILE)]).write_text(page(), encoding="utf-8")
