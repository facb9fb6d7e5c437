"""List the known implementations of Adam and the choices in which they differ from Algorithm 1.

With NAME, print everything that the table has on that dialect.
"""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  adamcore dialects
  adamcore dialects torch.AdamW

exit status: 0 printed, 2 no such dialect
"""


NARROW = 72  #: columns below which dialects are a list, and no table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one dialect")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from rich.table import Table

    from adamcore import AXES
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.dialects import DIALECTS, dialect
    from adamcore.errors import DialectError

    out = console()
    if options.name is None and out.width < NARROW:
        for name, row in DIALECTS.items():
            out.print(name, style="bold", soft_wrap=True)
            for axis, value in row.axes.items():
                out.print(f"  {axis}={value}", soft_wrap=True)
            for target in row.targets[:1]:
                out.print(f"  target {target}", soft_wrap=True)
        return 0
    if options.name is None:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for head in ("dialect", "other than Algorithm 1 in", "target"):
            table.add_column(head, overflow="fold", no_wrap=head == "dialect")
        for name, row in DIALECTS.items():
            axes = ", ".join(f"{axis}={value}" for axis, value in row.axes.items())
            table.add_row(name, axes or "nothing", row.targets[0] if row.targets else "")
        out.print(table)
        return 0
    try:
        row = dialect(options.name)
    except DialectError as error:
        return usage_error(error)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("dialect", row.name)
    for axis, values in AXES.items():
        table.add_row(axis, str(row.axes.get(axis, values[0])))
    for title, mapping in (("default", row.defaults), ("hyperparameter", row.hyper), ("state", row.state)):
        for name, value in mapping.items():
            table.add_row(title, f"{name}: {'required' if value is None else value}")
    for option, effect in row.options.items():
        changed = ", ".join(f"{axis}={value}" for axis, value in effect.items())
        table.add_row("option", f"{option}: {changed}")
    for target in row.targets:
        table.add_row("target", target)
    if row.outside:
        table.add_row("outside Adam", row.outside)
    if row.source:
        table.add_row("source", row.source)
    out.print(table)
    return 0
