"""Convert a saved optimizer state from one framework's form into another's.

Parameters are matched by name; a file that only numbers them needs --names or --by-position. If the
target cannot express a part of the state exactly, the conversion is refused with the reason, until the
difference is accepted by its name.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

EXAMPLES = """\
examples:
  adamcore convert run.pt run.safetensors --from torch --to adamcore
  adamcore convert run.pt run.npz --from torch --to optax --as optax.adamw
  adamcore convert model.keras run.pt --from keras --names paths.txt --to torch --map names.json
  adamcore convert tf1.npz run.safetensors --from tf1 --to adamcore --set b2=0.99

formats: adamcore, torch, optax, keras, tf1, bert, paddle, mlx, tinygrad. SRC: .safetensors, .npz,
PyTorch's (read with weights_only), Keras' .keras and .h5, flax' .msgpack, orbax' folders, TensorFlow's
checkpoints. DST: adamcore is written as .safetensors, torch as PyTorch's file, and the others as .npz if
its name ends so, else as .safetensors. --names: one name a line. --map: JSON, new name -> old name, or
-> {"from": old name, "axes": [1, 0]} to transpose; reshape, squeeze, stack, concat, unstack and split are
in docs/moving.md.
SRC may be a folder: a distributed checkpoint of PyTorch's, DeepSpeed's, orbax', TensorFlow's, a trainer's.
--like: names decide, then shapes; what neither tells apart needs --by-position.

exit status: 0 written, 1 refused or unreadable (the destination is as it was), 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("source", metavar="SRC", help="the saved state, a file")
    parser.add_argument("destination", metavar="DST", help="the file to write")
    parser.add_argument(
        "--from",
        dest="source_kind",
        metavar="FORMAT",
        help="the format of SRC (default: found from the file)",
    )
    parser.add_argument(
        "--to",
        dest="kind",
        metavar="FORMAT",
        default="adamcore",
        help="the format of DST (default: %(default)s)",
    )
    parser.add_argument("--dialect", metavar="NAME", help="the Adam that made it, if the file does not say")
    parser.add_argument("--as", dest="target", metavar="NAME", help="the dialect that continues with it")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter of that Adam"
    )
    parser.add_argument("--t", type=int, metavar="N", help="its clock, if the file does not have it")
    parser.add_argument("--names", metavar="FILE", help="the parameters' names, in the file's order")
    parser.add_argument("--key", metavar="KEY", help="which optimizer of SRC, if it holds several")
    parser.add_argument("--by-position", action="store_true", help="call the parameters 0, 1, ...")
    parser.add_argument("--like", metavar="FILE", help="a checkpoint, weights or names whose order DST gets")
    parser.add_argument("--map", metavar="FILE", help="JSON: new name -> old name")
    parser.add_argument("--accept", default="", metavar="A,B", help="differences to accept, by name")
    parser.add_argument("--clock", metavar="max|min|N", help="one clock for all parameters, if they differ")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    import sys
    from dataclasses import replace

    from adamcore.backends.states import fit
    from adamcore.backends.states.foreign import read, write
    from adamcore.backends.states.like import arranged_like, read_target
    from adamcore.conformance.cli.parser import usage_error
    from adamcore.conformance.errors import UsageError
    from adamcore.dialects import REQUIRED, dialect
    from adamcore.errors import AdamcoreError

    try:
        check_formats(options)
        hyper = hyperparameters(options)
        names = read_text("--names", options.names).split() if options.names else None
        mapping = read_map(options.map) if options.map else None
        accept = differences_to_accept(options.accept)
        clock = clock_choice(options.clock)
        row = dialect(options.target) if options.target else None
    except (UsageError, AdamcoreError) as error:
        return usage_error(error)
    try:
        state = said(
            read,
            options.source,
            options.source_kind,
            names=names,
            by_position=options.by_position,
            dialect=options.dialect,
            hyper=hyper,
            t=options.t,
            needs_dialect=options.kind == "torch",
            key=options.key,
        )
        if mapping is not None:
            state = state.renamed(mapping)
        target = read_target(options.like, options.key) if options.like else None
        if target is not None:
            state, notes = arranged_like(state, target, by_position=options.by_position)
            for note in notes:
                print(f"adamcore: note: {note}", file=sys.stderr)
        if row is not None:
            own = {n: getattr(state.adam, n) for n in row.hyper}
            wanting = {n: getattr(state.adam, n) for n, x in row.defaults.items() if x is REQUIRED}
            state = replace(
                fit(state, row.adam(**(wanting | own)), accept=accept, clock=clock), dialect=row.name
            )
        elif clock is not None:
            state = fit(state, replace(state.adam, clock="global"), accept=accept, clock=clock)
        said(write, state, options.destination, options.kind, like=target and target.state_dict)
    except AdamcoreError as error:
        print(f"adamcore: {error}", file=sys.stderr)
        return 1
    clocks = sorted({leaf.t for leaf in state.leaves.values()})
    print(
        f"{options.destination}: {len(state.leaves)} parameters, {state.dialect or 'an Adam'}, t="
        f"{'..'.join(map(str, dict.fromkeys((clocks or [0])[:: max(len(clocks) - 1, 1)])))}"
    )
    return 0


def said(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return ``call(*args, **kwargs)``, with its warnings as lines on standard error."""
    import sys
    import warnings

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"adamcore: note: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = show
        return call(*args, **kwargs)


def check_formats(options: argparse.Namespace) -> None:
    """Raise UsageError if a format, a dialect or the clock is none, or the destination a model of Keras'."""
    from adamcore.backends.states.files import check_name
    from adamcore.backends.states.foreign import FORMATS
    from adamcore.coefficients import MAX_CLOCK
    from adamcore.conformance.errors import UsageError
    from adamcore.dialects import dialect
    from adamcore.errors import CheckpointError

    for option, kind in (("--to", options.kind), ("--from", options.source_kind)):
        if kind is not None and kind not in FORMATS:
            raise UsageError(f"{option} {kind}: expected one of {', '.join(FORMATS)}")
    if options.destination.lower().endswith((".keras", ".h5", ".hdf5")):
        raise UsageError(
            f"{options.destination}: a file of that kind holds a model of Keras', and a state alone makes "
            "none; expected .npz or .safetensors (to_keras sets the state of a model that is loaded)"
        )
    try:
        check_name(options.destination, options.kind)
    except CheckpointError as error:
        raise UsageError(str(error)) from error
    if options.dialect:
        dialect(options.dialect)
    if options.t is not None and not 0 <= options.t <= MAX_CLOCK:
        raise UsageError(f"--t {options.t}: expected a whole number from 0 to {MAX_CLOCK}")


def hyperparameters(options: argparse.Namespace) -> dict[str, Any]:
    """Return the hyperparameters and axes of ``--set``, checked."""
    from dataclasses import fields, replace

    from adamcore.adam import Adam
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.settings import parse_assignments

    hyper: dict[str, Any] = {name: number(value) for name, value in parse_assignments(options.set).items()}
    known = [field.name for field in fields(Adam)]
    for name in hyper:
        if name not in known:
            raise UsageError(f"--set {name}: expected one of {', '.join(known)}")
    replace(Adam(), **hyper)
    return hyper


def read_text(option: str, path: str) -> str:
    """Return the text of the file that an option names."""
    from pathlib import Path

    from adamcore.conformance.errors import UsageError

    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{option} {path}: expected a text file in UTF-8 ({error.reason})") from error


def read_map(path: str) -> dict[str, Any]:
    """Return the content of a map of names, checked."""
    import json

    from adamcore.backends.states.maps import parse
    from adamcore.conformance.errors import UsageError
    from adamcore.errors import CheckpointError

    text = read_text("--map", path)
    try:
        mapping = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--map {path}: no JSON ({error})") from error
    if not isinstance(mapping, dict):
        raise UsageError(f"--map {path}: expected an object, new name -> old name")
    try:
        parse(mapping)
    except CheckpointError as error:
        raise UsageError(f"--map {path}: {error}") from error
    return mapping


def differences_to_accept(text: str) -> list[str]:
    """Return the names of ``--accept``, checked."""
    from adamcore.backends.states.fitting import AXES, NUMBERS
    from adamcore.conformance.errors import UsageError

    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in (*AXES, *NUMBERS):
            raise UsageError(f"--accept {name}: expected names among {', '.join((*AXES, *NUMBERS))}")
    return names


def clock_choice(text: str | None) -> Any:
    """Return the choice of ``--clock``: None, "max", "min" or a number."""
    from adamcore.coefficients import MAX_CLOCK
    from adamcore.conformance.errors import UsageError

    if text in (None, "max", "min"):
        return text
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_CLOCK):
        raise UsageError(f"--clock {text}: expected max, min or a whole number from 0 to {MAX_CLOCK}")
    return int(text)


def number(text: str) -> object:
    """Return the text as a number or a truth value, or as it is."""
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text)
    except ValueError:
        return text
