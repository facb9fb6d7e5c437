"""Minimize a function of plain arrays: no framework, no training loop."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import array_api_compat

from adamcore.adam import Adam
from adamcore.errors import GradientError, HyperparameterError
from adamcore.state import AdamState
from adamcore.trees import ParamTree
from adamcore.types import Tree


@dataclass(frozen=True)
class Progress:
    """The argument of a callback, after each evaluation of the function.

    Attributes:
        x: the parameters at which the function was evaluated.
        fun: its value there, a float.
        jac: its gradient there.
        nit: the steps made so far.
    """

    x: Tree
    fun: float
    jac: Tree
    nit: int


@dataclass(frozen=True)
class Result:
    """The result of :func:`minimize`; the names are those of SciPy's OptimizeResult.

    Attributes:
        x: the parameters found, a tree like x0.
        fun: the function's value at x.
        jac: the gradient at x.
        nit: the number of steps made.
        nfev: the number of evaluations of the function.
        success: True if ``gtol`` was reached, or if none was given and the value stayed finite.
        status: 0 if all steps were made, 1 if gtol was reached, 2 if the callback stopped the run,
            3 if a value was not finite.
        message: the status in words.
        state: Adam's state after the last step, from which a later call can go on.
    """

    x: Tree
    fun: float
    jac: Tree
    nit: int
    nfev: int
    success: bool
    status: int
    message: str
    state: AdamState


def minimize(
    fun_and_grad: Callable[[Tree], tuple[Any, Tree]],
    x0: Tree,
    *,
    adam: Adam | None = None,
    steps: int = 1000,
    gtol: float | None = None,
    callback: Callable[[Progress], Any] | None = None,
    keep_best: bool = False,
    progress: bool = False,
    state: AdamState | None = None,
    **options: Any,
) -> Result:
    """Minimize a function with Adam.

    Args:
        fun_and_grad: a function that returns the value (a number or a 0-d array) and the gradient
            (a tree like x) at x.
        x0: where to start: an array, or a tree of arrays, of any array library; it is not modified.
        adam: the Adam to use.  Without it, ``options`` are the arguments of one: ``lr=0.1, b2=0.99``.
        steps: the largest number of steps to make, >= 0.
        gtol: stop when no element of the gradient is larger in magnitude; >= 0, or None.
        callback: a function that is called with a :class:`Progress` after each evaluation.  The run
            stops if it returns a true value or raises StopIteration.
        keep_best: return the x with the smallest value found, not the last.
        progress: show a progress bar on standard error (rich's, if rich is installed).
        state: the state of an earlier result, to go on from.

    Returns:
        The parameters found, with value, gradient, counts, status and state.

    Raises:
        HyperparameterError: ``steps`` or ``gtol`` is out of range, or both ``adam`` and ``options``
            are given.
        GradientError: ``fun_and_grad`` returned no pair; or as :meth:`adamcore.Adam.step`.
        ParameterError, TreeError: as :meth:`adamcore.Adam.step`.

    Example:
        >>> import numpy as np
        >>> result = minimize(lambda x: (np.sum(x**2), 2 * x), np.array([1.0, -2.0]), lr=0.1, gtol=1e-6)
        >>> result.success, bool(np.abs(result.x).max() < 1e-6)
        (True, True)
    """
    if adam is not None and options:
        raise HyperparameterError(f"adam and {next(iter(options))}= are given: expected one or the other")
    if type(steps) is not int or steps < 0:
        raise HyperparameterError(f"steps={steps!r}: expected a whole number >= 0")
    if gtol is not None and not gtol >= 0:
        raise HyperparameterError(f"gtol={gtol!r}: expected a number >= 0, or None")
    adam = Adam(**options) if adam is None else adam
    x, state = x0, adam.init(x0) if state is None else state
    best: tuple[float, Tree, Tree] | None = None
    status, nit = 0, 0
    with bar(steps if progress else None) as shown:
        while True:
            fun, jac = value_and_gradient(fun_and_grad(x))
            if keep_best and (best is None or fun < best[0]):
                best = fun, x, copied(jac)
            shown(nit, f"{fun:.6g}")
            if stopped(callback, Progress(x, fun, jac, nit)):
                status = 2
            if gtol is not None and largest(jac) <= gtol:
                status = 1
            if not math.isfinite(fun):
                status = 3
            if status or nit == steps:
                break
            x, state = adam.step(x, jac, state)
            nit += 1
    if best is not None:
        fun, x, jac = best
    success = status == 1 or (gtol is None and status in (0, 2))
    return Result(
        x, fun, jac, nit, nit + 1, success, status, MESSAGES[status].format(nit=nit, gtol=gtol), state
    )


MESSAGES = (
    "all {nit} steps were made",
    "no element of the gradient is larger than gtol={gtol}",
    "the callback stopped it after {nit} steps",
    "the value is not finite after {nit} steps",
)


def stopped(callback: Callable[[Progress], Any] | None, now: Progress) -> bool:
    """True if the callback asks to stop."""
    if callback is None:
        return False
    try:
        return bool(callback(now))
    except StopIteration:
        return True


def value_and_gradient(answer: Any) -> tuple[float, Tree]:
    """Return the value and the gradient that a function returned.

    Raises:
        GradientError: it returned something else than these two.
    """
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise GradientError(
            f"fun_and_grad returned {type(answer).__name__}: expected two things, the value and the "
            "gradient; return (value, gradient)"
        )
    return float(answer[0]), answer[1]


def copied(tree: Tree) -> Tree:
    """Return a gradient in memory of its own: a function may write its next one into the same arrays."""
    held = ParamTree(tree, "gradient")
    return held.like(
        [
            array_api_compat.array_namespace(x).asarray(x, copy=True)
            if array_api_compat.is_array_api_obj(x)
            else x
            for x in held.leaves
        ]
    )


def largest(tree: Tree) -> float:
    """Return the largest absolute value in a tree; NaN if the tree has one."""
    found = 0.0
    for leaf in ParamTree(tree, "gradient").leaves:
        if leaf is not None and math.prod(leaf.shape):
            xp = array_api_compat.array_namespace(leaf)
            value = float(xp.max(xp.abs(leaf)))
            found = value if math.isnan(value) else max(found, value)
    return found


@contextmanager
def bar(total: int | None, what: str = "minimize") -> Iterator[Callable[[int, str], None]]:
    """Show a progress bar on standard error, rich's or a plain one; None shows nothing.

    Args:
        total: how much there is to be done.
        what: what is being done.

    Yields:
        The function to call with how much is done, and with a text on it.
    """
    if total is None:
        yield lambda done, text: None
        return
    try:
        rich = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(stderr=True)
    except ImportError:

        def plain(done: int, text: str) -> None:
            filled = 20 * done // max(total, 1)
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (20 - filled)}] {done}/{total} {text} ")

        yield plain
        sys.stderr.write("\n")
        return
    with rich.Progress(*rich.Progress.get_default_columns(), console=console) as view:
        task = view.add_task(what, total=total)
        yield lambda done, text: view.update(task, completed=done, description=text)
