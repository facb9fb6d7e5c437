"""Compare two dialects: their axes, their defaults, and the numbers with which one becomes the other.

The gap is the largest difference of a parameter over a designed run, in units of the learning rate.
The oracle computes both runs, so the gap is proved for that run.
"""

from __future__ import annotations

import argparse

from adamcore.conformance.cli.check import count

EXAMPLES = """\
examples:
  adamcore compare torch.AdamW optax.adamw
  adamcore compare torch.Adam keras.Adam --set eps=1e-3 --steps 300 --svg gap.svg

exit status: 0 compared, whatever the gap, 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("first", metavar="A", help="a dialect (adamcore dialects lists them)")
    parser.add_argument("second", metavar="B", help="another dialect")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter of both"
    )
    parser.add_argument("--steps", type=count, default=100, metavar="N", help="length of the run (100)")
    parser.add_argument("--svg", metavar="FILE", help="write a plot of the gaps")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from rich.table import Table

    from adamcore.backends.io.atomic import write_whole
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.compare.compare import arguments_of, compare
    from adamcore.conformance.compare.plot import svg
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.settings import parse_hyperparameters
    from adamcore.dialects import dialect
    from adamcore.errors import AdamcoreError, DialectError

    try:
        given = parse_hyperparameters(options.set)
        found = compare(options.first, options.second, steps=options.steps, **given)
    except (UsageError, AdamcoreError, ValueError, TypeError) as error:
        return usage_error(error)
    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for head in ("", options.first, options.second):
        table.add_column(head, overflow="fold")
    for axis, (a, b) in found.axes.items():
        table.add_row(axis, str(a), str(b))
    if not found.axes:
        table.add_row("every axis", "the same", "the same")
    for name, (x, y) in found.defaults.items():
        if x != y:
            table.add_row(f"default {name}", *("required" if v is None else f"{v:g}" for v in (x, y)))
    out.print(table)
    out.print()
    alike = "both with " + ", ".join(options.set) if options.set else "the same lr"
    out.print(
        f"With their own defaults ({alike}): a gap of {max(found.default_gaps):.2g} lr "
        f"in {options.steps} steps."
    )
    pairs = (
        (options.first, options.second, found.second_as_first),
        (options.second, options.first, found.first_as_second),
    )
    for wanted, target, m in pairs:
        out.print()
        out.print(f"{target} as {wanted}: {SAID[m.verdict]}, a gap of {max(m.gaps):.2g} lr.")
        try:
            arguments = arguments_of(m.adam, dialect(target))
            written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            out.print(f"  {target}({written})")
        except DialectError as error:
            out.print(f"  {error}")
        for text in m.changes:
            out.print(f"  {text}")
        if m.lacking:
            out.print(f"  what remains: {', '.join(m.lacking)}")
    if found.freezing:
        out.print()
        out.print(f"Where gradients are absent they also differ, in {', '.join(found.freezing)}.")
    if options.svg:
        series = {
            "own defaults": found.default_gaps,
            f"{options.second} as {options.first}": found.second_as_first.gaps,
            f"{options.first} as {options.second}": found.first_as_second.gaps,
        }
        try:
            title = f"{options.first} and {options.second}: gap in lr"
            write_whole(options.svg, [svg(title, series).encode()])
        except OSError as error:
            return usage_error(f"--svg {options.svg}: {error.strerror or error}")
    return 0


SAID = {
    "identical": "the same trajectory in the real numbers",
    "exact": "the same trajectory, up to the rounding of the numbers below",
    "approximate": "nearly, by no choice of numbers exactly",
    "different": "by no choice of numbers",
}
