"""Convert a saved optimizer state from one framework's form into another's.

Parameters are matched by name; a file that only numbers them needs --names or --by-position. If the
target cannot express a part of the state exactly, the conversion is refused with the reason, until the
difference is accepted by its name.
"""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  adamcore convert run.pt run.safetensors --from torch --to adamcore
  adamcore convert run.pt run.npz --from torch --to optax --as optax.adamw
  adamcore convert model.keras run.pt --from keras --names paths.txt --to torch --map names.json
  adamcore convert tf1.npz run.safetensors --from tf1 --to adamcore --set b2=0.99

formats: adamcore, torch, optax, keras, tf1, paddle, mlx. Files: .safetensors, .npz, PyTorch's (read
with weights_only), Keras' .keras and .h5. --names: one name a line. --map: JSON, new name -> old name,
or -> {"from": old name, "axes": [1, 0]} to transpose.

exit status: 0 written, 1 refused or unreadable (the destination is as it was), 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("source", metavar="SRC")
    parser.add_argument("destination", metavar="DST")
    parser.add_argument(
        "--from",
        dest="source_kind",
        metavar="FORMAT",
        help="the format of SRC (default: found from the file)",
    )
    parser.add_argument("--to", dest="kind", metavar="FORMAT", default="adamcore", help="the format of DST")
    parser.add_argument("--dialect", metavar="NAME", help="the Adam that made it, if the file does not say")
    parser.add_argument("--as", dest="target", metavar="NAME", help="the dialect that continues with it")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter of that Adam"
    )
    parser.add_argument("--t", type=int, metavar="N", help="its clock, if the file does not have it")
    parser.add_argument("--names", metavar="FILE", help="the parameters' names, in the file's order")
    parser.add_argument("--by-position", action="store_true", help="call the parameters 0, 1, ...")
    parser.add_argument("--map", metavar="FILE", help="JSON: new name -> old name")
    parser.add_argument("--accept", default="", metavar="A,B", help="differences to accept, by name")
    parser.add_argument("--clock", metavar="max|min|N", help="one clock for all parameters, if they differ")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    import json
    import sys
    from dataclasses import replace
    from pathlib import Path
    from typing import Any

    from adamcore.backends.states import fit
    from adamcore.backends.states.foreign import FORMATS, read, write
    from adamcore.conformance.cli.parser import usage_error
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.settings import parse_assignments
    from adamcore.dialects import REQUIRED, dialect
    from adamcore.errors import AdamcoreError, DialectError

    if options.kind not in FORMATS:
        return usage_error(f"--to {options.kind}: expected one of {', '.join(FORMATS)}")
    try:
        hyper: dict[str, Any] = {k: number(v) for k, v in parse_assignments(options.set).items()}
        names = Path(options.names).read_text(encoding="utf-8").split() if options.names else None
        mapping = json.loads(Path(options.map).read_text(encoding="utf-8")) if options.map else None
        row = dialect(options.target) if options.target else None
        clock: Any = options.clock
        clock = clock if clock in (None, "max", "min") else int(clock)
    except (UsageError, DialectError, OSError, ValueError) as error:
        return usage_error(error)
    try:
        state = read(
            options.source,
            options.source_kind,
            names=names,
            by_position=options.by_position,
            dialect=options.dialect,
            hyper=hyper,
            t=options.t,
        )
        if mapping is not None:
            state = state.renamed(mapping)
        accept = [name for name in options.accept.split(",") if name]
        if row is not None:
            own = {n: getattr(state.adam, n) for n in row.hyper}
            wanting = {n: getattr(state.adam, n) for n, x in row.defaults.items() if x is REQUIRED}
            state = replace(
                fit(state, row.adam(**(wanting | own)), accept=accept, clock=clock), dialect=row.name
            )
        elif clock is not None:
            state = fit(state, replace(state.adam, clock="global"), accept=accept, clock=clock)
        write(state, options.destination, options.kind)
    except AdamcoreError as error:
        print(f"adamcore: {error}", file=sys.stderr)
        return 1
    clocks = sorted({leaf.t for leaf in state.leaves.values()})
    print(
        f"{options.destination}: {len(state.leaves)} parameters, {state.dialect or 'an Adam'}, t="
        f"{'..'.join(map(str, dict.fromkeys((clocks or [0])[:: max(len(clocks) - 1, 1)])))}"
    )
    return 0


def number(text: str) -> object:
    """Return the text as a number or a truth value, or as it is."""
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text)
    except ValueError:
        return text
