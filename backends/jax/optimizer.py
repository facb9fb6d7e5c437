"""``adam`` and ``adamw``, each an optax gradient transformation, for every dialect (docs/jax.md).

``update`` returns ``p_new - p``, and :func:`optax.apply_updates` adds it to p.  If p and p_new are within a
factor of 2 of each other, the difference is exact and the sum is ``p_new`` bit for bit.  Otherwise the sum is
at most 1 ULP of max(|p|, |p_new - p|) away from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adamcore import axes, step
from adamcore.adam import Adam
from adamcore.config import HYPERPARAMETERS
from adamcore.dialects import dialect
from adamcore.errors import HyperparameterError, ParameterError, TreeError
from adamcore.state import AdamState
from adamcore.types import Tree

#: The values with which an Adam is validated if a hyperparameter is an array; they count as not 0.
STAND_IN = {
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-8,
    "eps_root": 1e-8,
    "weight_decay": 0.01,
    "momentum_decay": 4e-3,
}


class AdamTransformation(optax.GradientTransformationExtraArgs):  # type: ignore[misc]
    """An optax transformation that also makes a step in one call."""

    functions: OptaxAdam

    def step(
        self, params: Tree, grads: Tree, state: AdamState, *, lr: Any = None, present: Tree = None
    ) -> tuple[Tree, AdamState]:
        """Return the new parameters and the new state, by a compiled program.

        The buffers of ``params`` and ``state`` are donated: the results take their place, and the old
        arrays are deleted.  The new parameters are exact, without the sum ``p + (p_new - p)``.

        Args:
            params: the parameters, a tree of arrays.
            grads: a tree like ``params``; the gradients have the parameters' shapes and dtypes.
            state: what ``init`` or the step before returned.
            lr: the learning rate of this step, a number or a 0-d array; None for the transformation's.
            present: as for :meth:`adamcore.Adam.step`; a traced boolean compiles nothing anew.

        Raises:
            The errors of :meth:`adamcore.Adam.step`.

        Example:
            >>> tx = adam(0.1)
            >>> params = {"w": jnp.ones(2)}
            >>> params, state = tx.step(params, {"w": jnp.ones(2)}, tx.init(params))
            >>> [round(float(x), 6) for x in params["w"]]
            [0.9, 0.9]
        """
        result: tuple[Tree, AdamState] = self.functions.compiled(params, grads, state, lr, present)
        return result


def adam(
    learning_rate: Any = None,
    b1: Any = None,
    b2: Any = None,
    eps: Any = None,
    eps_root: Any = None,
    mu_dtype: None = None,
    weight_decay: Any = None,
    mask: Any = None,
    *,
    momentum_decay: Any = None,
    dialect: str = "optax.adam",
    epsilon: axes.Epsilon | None = None,
    bias_correction: axes.BiasCorrection | None = None,
    decay: axes.Decay | None = None,
    decay_order: axes.DecayOrder | None = None,
    amsgrad: axes.Amsgrad | None = None,
    nesterov: bool | axes.Nesterov | None = None,
    missing: axes.Missing | None = None,
    clock: axes.Clock | None = None,
    all_missing: axes.AllMissing | None = None,
    maximize: bool | None = None,
    complex: axes.Complex | None = None,  # noqa: A002
    moment_dtype: str | None = None,
    conjugate: bool = False,
) -> AdamTransformation:
    """Return an Adam of any dialect as an optax transformation; by default it replaces :func:`optax.adam`.

    Args:
        learning_rate: a number, a 0-d array (also a traced one), or an optax schedule: a function of the
            number of updates made before this one, which is 0 at first.  None: the dialect's default.
        b1, b2, eps, eps_root, weight_decay, momentum_decay: numbers, or 0-d arrays as
            ``optax.inject_hyperparams`` passes them.  None: the dialect's default.
        mu_dtype: None; it stands where optax has it.  Another dtype for m alone is not offered.
        mask: the leaves to which weight decay applies: a tree of booleans like the parameters or like the
            upper part of their tree, or a function that makes such a tree from the parameters, as for
            :func:`optax.adamw`.
        dialect: a row of :mod:`adamcore.dialects`, such as "torch.AdamW", which gives the axes and the
            defaults.
        epsilon, ..., complex: axes of docs/spec.md; None: the dialect's.  ``nesterov`` may be a boolean, as
            in optax.
        moment_dtype: as for :class:`adamcore.Adam`.
        conjugate: if True, complex gradients are conjugated first.  ``jax.grad`` returns the conjugate
            of the direction of steepest ascent (rule CPX.3); optax's own optimizers do not conjugate it.

    Returns:
        A ``GradientTransformationExtraArgs`` whose state is an :class:`adamcore.AdamState`.  Its
        ``update`` takes ``present=`` as an extra argument.  Under ``missing="skip"`` a gradient may be
        None: the update of its parameter is then -0.0, which changes no bit (rule F1).

    Raises:
        DialectError, HyperparameterError, AxisError: as :meth:`adamcore.Adam.like`.
        ParameterError: ``update`` got no ``params``, and weight decay needs them.
        TreeError: the mask is not like the parameters.

    Example:
        >>> tx = optax.chain(optax.clip_by_global_norm(1.0), adam(0.1, dialect="torch.AdamW"))
        >>> params = {"w": jnp.ones(2)}
        >>> updates, state = tx.update({"w": jnp.ones(2)}, tx.init(params), params)
        >>> [round(float(x), 4) for x in optax.apply_updates(params, updates)["w"]]
        [0.899, 0.899]
    """
    if mu_dtype is not None:
        raise HyperparameterError(
            f"mu_dtype={mu_dtype!r}: expected None; m and v have one dtype here, moment_dtype= says which"
        )
    if isinstance(nesterov, bool):
        nesterov = "optax" if nesterov else "none"
    asked = {
        "epsilon": epsilon,
        "bias_correction": bias_correction,
        "decay": decay,
        "decay_order": decay_order,
        "amsgrad": amsgrad,
        "nesterov": nesterov,
        "missing": missing,
        "clock": clock,
        "all_missing": all_missing,
        "maximize": maximize,
        "complex": complex,
        "moment_dtype": moment_dtype,
    }
    numbers = {
        "lr": learning_rate,
        "b1": b1,
        "b2": b2,
        "eps": eps,
        "eps_root": eps_root,
        "weight_decay": weight_decay,
        "momentum_decay": momentum_decay,
    }
    chosen = {name: value for name, value in (asked | numbers).items() if value is not None}
    return transformation(dialect, chosen, mask=mask, conjugate=conjugate)


def adamw(*args: Any, **options: Any) -> AdamTransformation:
    """Return :func:`adam` with the axes and the defaults of :func:`optax.adamw`.

    Args:
        args, options: as for :func:`adam`.

    Raises:
        The errors of :func:`adam`.

    Example:
        >>> tx = adamw(0.1, weight_decay=0.5)
        >>> params = {"w": jnp.ones(2)}
        >>> updates, _ = tx.update({"w": jnp.zeros(2)}, tx.init(params), params)
        >>> [round(float(x), 4) for x in updates["w"]]
        [-0.05, -0.05]
    """
    return adam(*args, **{"dialect": "optax.adamw"} | options)


def with_dialect(signature: inspect.Signature, name: str) -> inspect.Signature:
    """Return a signature with this default of ``dialect``; help() and ``inject_hyperparams`` read it."""
    parameters = signature.parameters.values()
    return signature.replace(
        parameters=[p.replace(default=name) if p.name == "dialect" else p for p in parameters]
    )


setattr(adamw, "__signature__", with_dialect(inspect.signature(adam), "optax.adamw"))  # noqa: B010


def transformation(
    dialect_name: str, chosen: dict[str, Any], *, mask: Any = None, conjugate: bool = False
) -> AdamTransformation:
    """Return the transformation of a dialect, with the ``chosen`` fields of :class:`adamcore.Adam`."""
    hyper = {n: chosen.pop(n) for n in HYPERPARAMETERS if isinstance(chosen.get(n), jax.Array)}
    lr = hyper.pop("lr", None)
    schedule = chosen.get("lr")
    if callable(schedule):
        chosen["lr"] = after(schedule)
    stand_in = {name: STAND_IN[name] for name in hyper} | ({} if lr is None else {"lr": 1.0})
    functions = OptaxAdam(dialect(dialect_name).adam(**chosen, **stand_in), lr, hyper, mask, conjugate)
    result = AdamTransformation(functions.init, functions.update)
    result.functions = functions
    return result


def after(schedule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return optax's schedule, which sees 0 first, as a function of our clock, which is 1 at first."""
    return lambda t: schedule(t - 1)


class OptaxAdam:
    """The functions of one transformation.

    Attributes:
        adam: the Adam, with :data:`STAND_IN` for the hyperparameters that are arrays.
        lr: the learning rate if it is an array, else None.
        hyper: the other hyperparameters that are arrays, by name.
        mask: see :func:`adam`.
        conjugate: see :func:`adam`.
        compiled: :meth:`step`, compiled, with donated parameters and state.
    """

    def __init__(self, adam: Adam, lr: Any, hyper: dict[str, Any], mask: Any, conjugate: bool) -> None:
        self.adam, self.lr, self.hyper, self.mask, self.conjugate = adam, lr, hyper, mask, conjugate
        if mask is not None and not adam.weight_decay:
            raise HyperparameterError(
                "mask is given and weight_decay is 0: expected a weight_decay that it can restrict; "
                "give one, or leave the mask out"
            )
        self.compiled = jax.jit(self.step, donate_argnums=(0, 2))

    def init(self, params: Tree) -> AdamState:
        """Return the state before the first step, as :meth:`adamcore.Adam.init`."""
        return self.adam.init(params)

    def update(
        self, updates: Tree, state: AdamState, params: Tree = None, *, present: Tree = None, **extra: Any
    ) -> tuple[Tree, AdamState]:
        """Return ``p_new - p`` of each leaf and the new state; other transformations read ``extra``."""
        if params is None:
            if self.adam.weight_decay:
                raise ParameterError(
                    "params is None: expected the parameters, since weight decay needs them; call "
                    "update(grads, state, params)"
                )
            params = jax.tree.map(jnp.zeros_like, state.m if self.adam.moment_dtype is None else updates)
        new, state = self.step(params, updates, state, None, present)
        return jax.tree.map(difference, new, params), state

    def step(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any, present: Tree
    ) -> tuple[Tree, AdamState]:
        """Return the new parameters and the new state.

        With a mask, the leaves with weight decay and the leaves without it are two steps.
        """
        lr = self.lr if lr is None else lr
        if self.conjugate:
            grads = jax.tree.map(jnp.conj, grads)
        if self.mask is None:
            return step.step(self.adam, params, grads, state, lr, present, False, self.hyper)
        flags = self.flags(params)
        still = {n: x for n, x in self.hyper.items() if n != "weight_decay"}

        def part(adam: Adam, hyper: dict[str, Any], decays: bool) -> tuple[Tree, AdamState]:
            ps, gs = pick(params, flags, decays), pick(grads, flags, decays)
            there = None if present is None else pick(present, flags, decays, True)
            return step.step(adam, ps, gs, select(state, flags, decays), lr, there, False, hyper)

        p1, s1 = part(self.adam, self.hyper, True)
        p0, s0 = part(replace(self.adam, weight_decay=0.0), still, False)
        some_decay = any(flags.values())
        fields = [
            merge(a, b, flags) if is_like(a, params) else (a if some_decay else b)
            for a, b in zip(s1, s0, strict=True)
        ]
        return merge(p1, p0, flags), AdamState(*fields)

    def flags(self, params: Tree) -> dict[str, bool]:
        """Return the mask by the paths of the parameters; a leaf of the mask holds for all below it.

        Raises:
            TreeError: a parameter has no leaf in the mask, at its place or above it.
        """
        tree = self.mask(params) if callable(self.mask) else self.mask
        given = {jax.tree_util.keystr(path): bool(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}
        found = {}
        for path, _ in jax.tree_util.tree_leaves_with_path(params):
            above = (jax.tree_util.keystr(path[:k]) for k in range(len(path), -1, -1))
            name = next((name for name in above if name in given), None)
            if name is None:
                raise TreeError(
                    f"mask has no leaf mask{jax.tree_util.keystr(path)}: expected a tree of booleans like "
                    "the parameters, or like the upper part of their tree"
                )
            found[jax.tree_util.keystr(path)] = given[name]
        return found


def difference(new: Any, old: Any) -> Any:
    """Return ``new - old``, and -0.0 where they are equal: adding it changes no number, 0.0 included."""
    return jnp.where(new == old, jnp.asarray(-0.0, dtype=old.dtype), new - old)


def is_like(tree: Tree, params: Tree) -> bool:
    """True if a field of the state is a tree like the parameters, and not one clock or None."""
    return tree is not None and not (hasattr(tree, "dtype") and not hasattr(params, "dtype"))


def pick(tree: Tree, flags: dict[str, bool], kind: bool, other: Any = None) -> Tree:
    """Return a tree with ``other`` in place of the leaves whose flag is not ``kind``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, x: x if flags.get(jax.tree_util.keystr(path)) is kind else other,
        tree,
        is_leaf=lambda x: x is None,
    )


def select(state: AdamState, flags: dict[str, bool], kind: bool) -> AdamState:
    """Return the state of the leaves whose flag is ``kind``."""
    return AdamState(*(pick(x, flags, kind) if is_like(x, state.m) else x for x in state))


def merge(a: Tree, b: Tree, flags: dict[str, bool]) -> Tree:
    """Return the leaves of ``a`` if their flag is True, else those of ``b``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, x, y: x if flags.get(jax.tree_util.keystr(path)) else y,
        a,
        b,
        is_leaf=lambda x: x is None,
    )
