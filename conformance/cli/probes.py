"""List the designed probes and their purposes.

With NAME, print the input of the probes with that name or rule.
"""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  adamcore probes
  adamcore probes STEP.1/fingerprint
  adamcore probes F1

exit status: 0 printed, 2 no such probe
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a probe, a rule, or a pattern of either")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from rich.table import Table
    from rich.text import Text

    from adamcore.conformance.checking.selection import select_probes
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.errors import UsageError

    try:
        probes = select_probes([options.name] if options.name else [])
    except UsageError as error:
        return usage_error(error)
    out = console()
    if options.name is None:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for head in ("probe", "steps", "what it is for", "tells apart"):
            table.add_column(head, overflow="fold", justify="right" if head == "steps" else "left")
        for probe in probes:
            table.add_row(probe.name, str(len(probe.steps)), probe.about, ", ".join(probe.tells))
        out.print(table)
        return 0
    for probe in probes:
        out.print(Text(probe.name, "bold").append(f"  {probe.about}", "not bold"))
        out.print("  " + ", ".join(f"{name}={value:g}" for name, value in probe.hyper.items()))
        for axis, values in probe.needs.items():
            out.print(f"  only where {axis} is {' or '.join(map(str, values))}")
        for i, p in enumerate(probe.params):
            out.print(f"  parameter {i}  {list(p.shape)}  {short(p)}")
        for s, step in enumerate(probe.steps[:12], start=1):
            changes = ("" if step.lr is None else f"  lr={step.lr:g}") + (
                "" if step.present is None else f"  present={[short(f) for f in step.present]}"
            )
            changes += "" if step.scale is None else f"  scale={step.scale:g}"
            changes += "  found_inf" if step.found_inf else ""
            grads = "  ".join("absent" if g is None else short(g) for g in step.grads)
            out.print(f"  step {s:<3} {grads}{changes}")
        if len(probe.steps) > 12:
            out.print(f"  ... {len(probe.steps)} steps")
        out.print()
    return 0


def short(value: object) -> str:
    """Return an array or a flag as short text."""
    import numpy as np

    if isinstance(value, bool):
        return str(value)
    return np.array2string(np.asarray(value), precision=6, threshold=8, separator=", ").replace("\n", "")
