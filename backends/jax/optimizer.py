"""Adam as an optax gradient transformation.

``update`` returns ``p_new - p``, so that :func:`optax.apply_updates` makes our step of it.  The sum
``p + (p_new - p)`` is ``p_new`` bit for bit wherever the two are within a factor of 2 of each other
(the difference is then exact); elsewhere it is at most 1 ULP of max(|p|, |p_new - p|) away.
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
from adamcore.dialects import HYPERPARAMETERS, dialect
from adamcore.errors import HyperparameterError, ParameterError, TreeError
from adamcore.state import AdamState
from adamcore.types import Tree

#: A nonzero stand-in for what an array holds, while only its presence matters.
STAND_IN = {
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-8,
    "eps_root": 1e-8,
    "weight_decay": 0.01,
    "momentum_decay": 4e-3,
}


class AdamTransformation(optax.GradientTransformationExtraArgs):  # type: ignore[misc]
    """An optax transformation with a one-call form besides ``init`` and ``update``."""

    core: Core

    def step(
        self, params: Tree, grads: Tree, state: AdamState, *, lr: Any = None, present: Tree = None
    ) -> tuple[Tree, AdamState]:
        """One compiled update: the new parameters and the new state.

        The buffers of ``params`` and ``state`` are donated: they are used up, and the results stand
        in their place.  There is no rounding of ``p + (p_new - p)`` here.

        Args:
            params, grads, state: as of ``update``.
            lr: this step's learning rate; a number or a 0-d array.
            present: as of :meth:`adamcore.Adam.step`; a traced boolean does not recompile.

        Example:
            >>> tx = adam(0.1)
            >>> params = {"w": jnp.ones(2)}
            >>> params, state = tx.step(params, {"w": jnp.ones(2)}, tx.init(params))
            >>> [round(float(x), 6) for x in params["w"]]
            [0.9, 0.9]
        """
        result: tuple[Tree, AdamState] = self.core.compiled(params, grads, state, lr, present)
        return result


def adam(
    learning_rate: Any = None,
    b1: Any = None,
    b2: Any = None,
    eps: Any = None,
    eps_root: Any = None,
    *,
    weight_decay: Any = None,
    momentum_decay: Any = None,
    mask: Any = None,
    dialect: str = "optax.adam",
    epsilon: axes.Epsilon | None = None,
    bias_correction: axes.BiasCorrection | None = None,
    decay: axes.Decay | None = None,
    decay_order: axes.DecayOrder | None = None,
    amsgrad: axes.Amsgrad | None = None,
    nesterov: axes.Nesterov | None = None,
    missing: axes.Missing | None = None,
    clock: axes.Clock | None = None,
    all_missing: axes.AllMissing | None = None,
    maximize: bool | None = None,
    complex: axes.Complex | None = None,  # noqa: A002
    moment_dtype: str | None = None,
    conjugate: bool = False,
) -> AdamTransformation:
    """Any Adam as an optax transformation; without more it stands in for :func:`optax.adam`.

    Args:
        learning_rate: a number, a 0-d array (traced too), or an optax schedule: a function of the
            number of updates made before, so it sees 0 first.  None: the dialect's default.
        b1, b2, eps, eps_root, weight_decay, momentum_decay: numbers or 0-d arrays, as
            ``optax.inject_hyperparams`` gives them; None: the dialect's default.
        mask: the leaves that weight decay applies to: a tree of booleans like the parameters, or a
            function from the parameters to one (as of :func:`optax.adamw`).
        dialect: a row of :mod:`adamcore.dialects` that gives axes and defaults, "torch.AdamW".
        epsilon, ..., complex: axes that differ from the row's.
        moment_dtype: as of :class:`adamcore.Adam`.
        conjugate: take the conjugate of complex gradients first: what ``jax.grad`` returns is the
            conjugate of the direction of steepest ascent (CPX.3).  optax's own optimizers don't.

    Returns:
        A ``GradientTransformationExtraArgs`` whose state is an :class:`adamcore.AdamState`; its
        ``update`` takes ``present=`` as an extra argument.  A gradient of None is absent: under
        ``missing="skip"`` its parameter stands still, with an update of -0.0, which changes no bit.

    Raises:
        DialectError, HyperparameterError, AxisError: as :meth:`adamcore.Adam.like`.
        ParameterError: ``update`` without ``params`` where weight decay needs them.
        TreeError: a mask that is not like the parameters.

    Example:
        >>> tx = optax.chain(optax.clip_by_global_norm(1.0), adam(0.1, dialect="torch.AdamW"))
        >>> params = {"w": jnp.ones(2)}
        >>> updates, state = tx.update({"w": jnp.ones(2)}, tx.init(params), params)
        >>> [round(float(x), 4) for x in optax.apply_updates(params, updates)["w"]]
        [0.899, 0.899]
    """
    asked = {
        "epsilon": epsilon, "bias_correction": bias_correction, "decay": decay, "decay_order": decay_order,
        "amsgrad": amsgrad, "nesterov": nesterov, "missing": missing, "clock": clock,
        "all_missing": all_missing, "maximize": maximize, "complex": complex, "moment_dtype": moment_dtype,
    }  # fmt: skip
    numbers = {
        "lr": learning_rate, "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root,
        "weight_decay": weight_decay, "momentum_decay": momentum_decay,
    }  # fmt: skip
    chosen = {name: value for name, value in (asked | numbers).items() if value is not None}
    return transformation(dialect, chosen, mask=mask, conjugate=conjugate)


def adamw(*args: Any, **options: Any) -> AdamTransformation:
    """:func:`adam` with the axes and defaults of :func:`optax.adamw`: the same arguments."""
    return adam(*args, **{"dialect": "optax.adamw"} | options)


def with_dialect(signature: inspect.Signature, name: str) -> inspect.Signature:
    """The signature with that dialect as the default, for help() and ``optax.inject_hyperparams``."""
    parameters = signature.parameters.values()
    return signature.replace(
        parameters=[p.replace(default=name) if p.name == "dialect" else p for p in parameters]
    )


setattr(adamw, "__signature__", with_dialect(inspect.signature(adam), "optax.adamw"))  # noqa: B010


def transformation(
    dialect_name: str, chosen: dict[str, Any], *, mask: Any = None, conjugate: bool = False
) -> AdamTransformation:
    """The transformation of a dialect with ``chosen`` fields of :class:`adamcore.Adam` in their place."""
    hyper = {n: chosen.pop(n) for n in HYPERPARAMETERS if isinstance(chosen.get(n), jax.Array)}
    lr = hyper.pop("lr", None)
    schedule = chosen.get("lr")
    if callable(schedule):
        chosen["lr"] = after(schedule)
    stand_in = {name: STAND_IN[name] for name in hyper} | ({} if lr is None else {"lr": 1.0})
    core = Core(dialect(dialect_name).adam(**chosen, **stand_in), lr, hyper, mask, conjugate)
    result = AdamTransformation(core.init, core.update)
    result.core = core
    return result


def after(schedule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A schedule of the number of updates made before, for our clock, whose first update is 1."""
    return lambda t: schedule(t - 1)


class Core:
    """What the two functions of a transformation share."""

    def __init__(self, adam: Adam, lr: Any, hyper: dict[str, Any], mask: Any, conjugate: bool) -> None:
        self.adam, self.lr, self.hyper, self.mask, self.conjugate = adam, lr, hyper, mask, conjugate
        if mask is not None and not adam.weight_decay:
            raise HyperparameterError(
                "mask is given and weight_decay is 0: expected a weight_decay that it can restrict; "
                "give one, or leave the mask out"
            )
        self.compiled = jax.jit(self.step, donate_argnums=(0, 2))

    def init(self, params: Tree) -> AdamState:
        """The state before the first step: see :meth:`adamcore.Adam.init`."""
        return self.adam.init(params)

    def update(
        self, updates: Tree, state: AdamState, params: Tree = None, *, present: Tree = None, **extra: Any
    ) -> tuple[Tree, AdamState]:
        """``p_new - p`` for each leaf, and the new state; ``extra`` is for other transformations."""
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
        """The step of the whole tree, that of the leaves that decay apart from the others."""
        lr = self.lr if lr is None else lr
        if self.conjugate:
            grads = jax.tree.map(jnp.conj, grads)
        if self.mask is None:
            return step.step(self.adam, params, grads, state, lr, present, False, self.hyper)
        flags = self.flags(params)
        still = {n: x for n, x in self.hyper.items() if n != "weight_decay"}
        parts = [
            step.step(each, pick(params, flags, kind), pick(grads, flags, kind), select(state, flags, kind),
                      lr, None if present is None else pick(present, flags, kind, True), False, hyper)
            for kind, each, hyper in (
                (True, self.adam, self.hyper), (False, replace(self.adam, weight_decay=0.0), still),
            )
        ]  # fmt: skip
        (p1, s1), (p0, s0) = parts
        has = any(flags.values())
        fields = (merge(a, b, flags) if is_like(a, params) else (a if has else b)
                  for a, b in zip(s1, s0, strict=True))  # fmt: skip
        return merge(p1, p0, flags), AdamState(*fields)

    def flags(self, params: Tree) -> dict[str, bool]:
        """Which leaves decay, by path."""
        tree = self.mask(params) if callable(self.mask) else self.mask
        found = {jax.tree_util.keystr(path): bool(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}
        for path, _ in jax.tree_util.tree_leaves_with_path(params):
            if jax.tree_util.keystr(path) not in found:
                raise TreeError(
                    f"mask has no leaf mask{jax.tree_util.keystr(path)}: expected a tree of booleans like "
                    "the parameters"
                )
        return found


def difference(new: Any, old: Any) -> Any:
    """``new - old``; where nothing moved -0.0, the number that no sum notices."""
    return jnp.where(new == old, jnp.asarray(-0.0, dtype=old.dtype), new - old)


def is_like(tree: Tree, params: Tree) -> bool:
    """Whether a part of the state is a tree like the parameters, not one clock or nothing."""
    return tree is not None and not (hasattr(tree, "dtype") and not hasattr(params, "dtype"))


def pick(tree: Tree, flags: dict[str, bool], kind: bool, other: Any = None) -> Tree:
    """The leaves whose flag is ``kind``, ``other`` in place of the rest."""
    return jax.tree_util.tree_map_with_path(
        lambda path, x: x if flags.get(jax.tree_util.keystr(path)) is kind else other,
        tree, is_leaf=lambda x: x is None,
    )  # fmt: skip


def select(state: AdamState, flags: dict[str, bool], kind: bool) -> AdamState:
    """The state of the leaves whose flag is ``kind``."""
    return AdamState(*(pick(x, flags, kind) if is_like(x, state.m) else x for x in state))


def merge(a: Tree, b: Tree, flags: dict[str, bool]) -> Tree:
    """The leaves of ``a`` where the flag is True, of ``b`` elsewhere."""
    return jax.tree_util.tree_map_with_path(
        lambda path, x, y: x if flags.get(jax.tree_util.keystr(path)) else y,
        a, b, is_leaf=lambda x: x is None,
    )  # fmt: skip
