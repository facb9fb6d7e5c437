"""docs/interactive/definition.js: the definition, the axes and the dialects for the page docs/interactive/.

``python docs/generate/interactive_page.py [FILE]`` writes it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import javascript

from adamcore import AXES, Adam
from adamcore.config import HYPERPARAMETERS
from adamcore.conformance.rules import AXIS_SAYS, RULE_OF
from adamcore.dialects import DIALECTS

FILE = Path(__file__).resolve().parents[1] / "interactive" / "definition.js"
HEAD = """\
// Written by `make pages` from adamcore/definition.py and the table of dialects; do not edit.
// `o` decides what a number is (arithmetic.js): a double, or a float32 rounded after each operation.
"use strict";
"""
LEFT_OUT = ("complex", "coefficients")  #: axes that change nothing of a step of a real number in double


def text() -> str:
    """Return the text of the file."""
    return "\n".join([HEAD + javascript.definition_js(), f"const DATA = {json.dumps(data(), indent=1)};", ""])


def data() -> dict[str, Any]:
    """Return what the page offers."""
    axes = {axis: values for axis, values in AXES.items() if axis not in LEFT_OUT}
    return {
        "axes": {
            axis: [
                {"value": value, "says": AXIS_SAYS[axis][value], "rule": RULE_OF[axis][value]}
                for value in values
            ]
            for axis, values in axes.items()
        },
        "hyper": {name: getattr(Adam(), name) for name in HYPERPARAMETERS},
        "dialects": {
            name: {
                "axes": {axis: value for axis, value in row.axes.items() if axis in axes},
                "defaults": {k: v for k, v in row.defaults.items() if k in HYPERPARAMETERS and v is not None},
            }
            for name, row in DIALECTS.items()
        },
    }


if __name__ == "__main__":
    Path(*sys.argv[1:2] or [str(FILE)]).write_text(text(), encoding="utf-8")
