"""Port an optimizer: print the lines that give another framework the same Adam.

If no constructor of that framework is the same Adam, the nearest one is printed with its gap, and then
adamcore's own optimizer for the framework, which is exact.
"""

from __future__ import annotations

import argparse

from adamcore.conformance.cli.check import count

EXAMPLES = """\
examples:
  adamcore port torch.AdamW --to optax
  adamcore port torch.AdamW --to keras --set lr=3e-4 --set weight_decay=0.1

exit status: 0 the same trajectory, 1 only nearly or not at all, 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("source", metavar="DIALECT", help="a dialect (adamcore dialects lists them)")
    parser.add_argument(
        "--to", required=True, metavar="FAMILY", help="optax, torch, keras, mlx, ... or a dialect"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter")
    parser.add_argument(
        "--steps", type=count, default=100, metavar="N", help="length of the run that proves it (100)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from adamcore.conformance.cli.parser import usage_error
    from adamcore.conformance.compare.port import port
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.settings import parse_hyperparameters
    from adamcore.errors import AdamcoreError

    try:
        given = parse_hyperparameters(options.set)
        found = port(options.source, options.to, steps=options.steps, **given)
    except (UsageError, AdamcoreError, ValueError, TypeError) as error:
        return usage_error(error)
    print(found.text, end="")
    return 0 if found.match.verdict in ("identical", "exact") else 1
