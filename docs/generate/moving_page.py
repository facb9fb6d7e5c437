"""docs/results/moving.md: the figures of examples/moving.py, measured on this machine.

``python docs/generate/moving_page.py [FILE]`` measures them and writes the page.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(DOCS.parent / "examples"))

from moving import HYPER, studies  # noqa: E402 - found by the line above

STEPS = 80


def page(results: dict[str, dict[str, float]], steps: int) -> str:
    """Return the results as a page."""
    import keras  # after moving.py has chosen its backend

    libraries: Iterable[str] = ("numpy", "torch", "jax", "optax", "keras")
    lines = [
        "# A training that moves between frameworks",
        "",
        "Written by `python docs/generate/moving_page.py`; [moving.py](../../examples/moving.py) says what "
        f"is measured. Each run has {steps} steps, a quarter in each framework.",
        "",
        '"Error over bound" is the largest error of any parameter after any step, over the bound derived '
        "for it: at most 1 is right. Gaps are the largest difference of a parameter after the last step; "
        f"lr is {HYPER['lr']}.",
        "",
        "| | " + " | ".join(results) + " |",
        "|---|" + "---|" * len(results),
    ]
    for row in next(iter(results.values())):
        lines.append(f"| {row} | " + " | ".join(f"{each[row]:.3g}" for each in results.values()) + " |")
    lines += [
        "",
        "\"theirs\": torch.optim.AdamW, optax.adamw, and this project's Keras optimizer, as Keras' own is "
        'another Adam (eps-hat). "ours": this project\'s in all three.',
        "",
        f"Environment: Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in libraries)
        + f", Keras on {keras.backend.backend()}; {platform.system()} on {platform.machine()}, CPU.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(*sys.argv[1:2] or [str(DOCS / "results" / "moving.md")])
    target.write_text(page(studies(STEPS), STEPS), encoding="utf-8")
