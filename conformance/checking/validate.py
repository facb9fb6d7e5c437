"""What the arguments of a check may be: each function raises :class:`UsageError` for what makes no sense."""

from __future__ import annotations

import ast
import difflib
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adamcore.conformance.candidates import is_own_backend
from adamcore.conformance.errors import UsageError
from adamcore.conformance.settings import DTYPES, LAYOUTS, MOST_HISTORIES, NARROW, OWN_TARGETS, Ranks
from adamcore.dialects import DIALECTS


def validate_options(
    dialect: Any,
    dtypes: Any,
    device: Any,
    settings: Any,
    probes: Any,
    timeout: Any,
    parallel: Any,
    memory: Any,
    histories: Any = 0,
) -> None:
    """Raise :class:`UsageError` if an argument of :func:`check` makes no sense."""
    for name, value in (("dialect", dialect), ("device", device)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name}={value!r}: expected text or None")
    for name, values in (("dtypes", dtypes), ("probes", probes)):
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise UsageError(f"{name}={values!r}: expected a list, such as [{str(values)!r}]")
        if odd := [value for value in values if not isinstance(value, str)]:
            raise UsageError(f"{name} has {odd[0]!r}: expected text")
    known = (*DTYPES, *NARROW)
    if unknown := [dtype for dtype in dtypes if dtype not in known]:
        raise UsageError(f"unknown dtype {unknown[0]!r}; expected {' or '.join(known)}")
    if not dtypes:
        raise UsageError(f"dtypes is empty; expected {' or '.join(DTYPES)}")
    if settings is not None and not isinstance(settings, Mapping):
        raise UsageError(f"settings={settings!r}: expected a mapping, such as {{'amsgrad': 'True'}}")
    for name, value in (settings or {}).items():
        if not isinstance(value, str):
            raise UsageError(f"settings[{name!r}]={value!r}: expected text, as after --set: {str(value)!r}")
    for name, number in (("timeout", timeout), ("parallel", parallel), ("memory", memory)):
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not number > 0:
            raise UsageError(f"{name}={number!r}: expected a number above 0")
    if parallel != int(parallel):
        raise UsageError(f"parallel={parallel!r}: expected a whole number")
    if isinstance(histories, bool) or not isinstance(histories, int) or not 0 <= histories <= MOST_HISTORIES:
        raise UsageError(f"histories={histories!r}: expected a whole number from 0 to {MOST_HISTORIES}")


def validate_ranks(
    ranks: Any, layout: Any, targets: Sequence[str], *, processes: bool = False
) -> Ranks | None:
    """Return the ranks on which the targets run, None for one; raise :class:`UsageError` if in vain."""
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"layout={layout!r}: expected one of {', '.join(LAYOUTS)}")
    if ranks is None:
        given = "processes" if processes else None if layout is None else f"layout={layout!r}"
        if given is not None:
            raise UsageError(f"{given} without ranks: expected --ranks N with it, the number of processes")
        return None
    if isinstance(ranks, bool) or not isinstance(ranks, int) or ranks < 1:
        raise UsageError(f"ranks={ranks!r}: expected a whole number above 0")
    others = [target for target in targets if has_no_ranks(target)]
    if others or not targets:
        named = others[0] if others else "no target"
        raise UsageError(
            f"ranks={ranks} with {named}: expected torch optimizers or optax factories (module:attr), torch, "
            "jax, jax:jit or jax:native"
        )
    return Ranks(ranks, layout or LAYOUTS[0], bool(processes))


def has_no_ranks(target: str) -> bool:
    """True if a target is of a kind that runs on one rank alone."""
    if is_own_backend(target):
        return target.startswith(("numpy", "array:")) or target == "torch:compile"
    return target.startswith(("cmd:", "kernel:"))


def validate_target(target: Any) -> None:
    """Raise :class:`UsageError` if the target is no text, or has none of the forms of a target."""
    if not isinstance(target, str):
        raise UsageError(
            f"target {target!r}: expected text, such as 'module:attr'; "
            "assert_conforms takes a class or a factory"
        )
    if target.startswith("cmd:"):
        validate_command(target)
        return
    if is_own_backend(target) or ":" in target.removeprefix("kernel:").strip(":"):
        return
    if target.endswith(".py") and os.path.isfile(target.removeprefix("kernel:")):
        names = defined_names(Path(target.removeprefix("kernel:")), functions=target.startswith("kernel:"))
        first = f"{target}:{(*names, 'attr')[0]}"
        listed = f"; it has {', '.join(names)}" if names else ""
        raise UsageError(f"{target} is a file: name what to check in it, {first}{listed}")
    known = [*OWN_TARGETS, *(path for row in DIALECTS.values() for path in row.targets)]
    own = DIALECTS[target].targets if target in DIALECTS else ()
    near = own or difflib.get_close_matches(target, known, n=3, cutoff=0.5)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UsageError(
        f"unknown target {target!r}: expected numpy, torch, torch:cuda, torch:compile, jax, jax:jit, "
        "jax:native, array:MODULE, module:attr, path/file.py:attr, kernel:module:function or "
        f"cmd:COMMAND{hint}"
    )


def defined_names(path: Path, *, functions: bool = False) -> list[str]:
    """Return the classes of a Python file, or else its functions, which come first if they are asked for.

    None are returned of a file that cannot be parsed.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = (ast.FunctionDef, ast.ClassDef) if functions else (ast.ClassDef, ast.FunctionDef)
    found = ([node.name for node in tree.body if isinstance(node, kind)] for kind in kinds)
    return next(filter(None, found), [])


def validate_command(target: str) -> None:
    """Raise :class:`UsageError` if ``cmd:`` has no command, or one that the shell's rules cannot split."""
    try:
        words = shlex.split(target.removeprefix("cmd:"))
    except ValueError as error:
        raise UsageError(f"{target!r}: {error}") from error
    if not words:
        raise UsageError(f"{target!r} has no command; expected cmd:COMMAND, such as cmd:./driver")
