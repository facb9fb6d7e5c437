"""The functions of an optax transformation over an :class:`adamcore.Adam`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adamcore import step
from adamcore.adam import Adam
from adamcore.backends.jax.backend import backend
from adamcore.backends.jax.leaves import aligned, by_path, cast, is_kept, lifted, widened
from adamcore.backends.jax.optax_state import OptaxAdamState, chained, following, unpacked
from adamcore.backends.jax.parts import Part, flags, in_parts, parts_of, pick
from adamcore.clock import known
from adamcore.dtypes import parts_of as kept_parts_of
from adamcore.errors import HyperparameterError, ParameterError
from adamcore.numerics import NumericsReport
from adamcore.state import AdamState
from adamcore.step import Clip, LossScale
from adamcore.step.clipping import total_norm
from adamcore.storage.moments import IN_8_BITS
from adamcore.trees import ParamTree
from adamcore.types import Tree


class AdamTransformation(optax.GradientTransformationExtraArgs):  # type: ignore[misc]
    """An optax transformation that also makes a step in one call."""

    functions: OptaxAdam

    def step(
        self,
        params: Tree,
        grads: Tree,
        state: Tree,
        *,
        lr: Any = None,
        present: Tree = None,
        grad_scale: Any = None,
        found_inf: Any = None,
    ) -> tuple[Tree, Tree]:
        """Return the new parameters and the new state, by a compiled program.

        The buffers of ``params`` and ``state`` are donated: the results take their place, and the old
        arrays are deleted.  The new parameters are exact, without the sum ``p + (p_new - p)``.

        Args:
            params: the parameters, a tree of arrays.
            grads: a tree like ``params``; the gradients have the parameters' shapes.
            state: what ``init`` or the step before returned, or the state of optax' own Adam.
            lr: the learning rate of this step, a number or a 0-d array; None for the transformation's.
            present, grad_scale, found_inf: as for :meth:`adamcore.Adam.step`; arrays among them compile
                nothing anew.

        Returns:
            The parameters in the dtypes that they had, and a state of the form of ``state``.

        Raises:
            The errors of :meth:`adamcore.Adam.step`.

        Example:
            >>> from adamcore.backends.jax import adam
            >>> tx = adam(0.1)
            >>> params = {"w": jnp.ones(2)}
            >>> params, state = tx.step(params, {"w": jnp.ones(2)}, tx.init(params))
            >>> [round(float(x), 6) for x in params["w"]]
            [0.9, 0.9]
        """
        result: tuple[Tree, Tree] = self.functions.compiled(
            params, grads, state, lr, present, LossScale(grad_scale, found_inf)
        )
        return result

    def check_numerics(self, params: Tree, lr: Any = None) -> NumericsReport:
        """Return what the dtypes would lose, as :meth:`adamcore.Adam.check_numerics`.

        Args:
            params: the parameters, as given to ``init``.
            lr: the learning rate to look at; None for the transformation's, if that is no schedule.
                A weight decay that is a schedule is not looked at.

        Raises:
            HyperparameterError: ``lr`` is a schedule, or a hyperparameter is traced.

        Example:
            >>> from adamcore.backends.jax import adam
            >>> print(adam(1e-5).check_numerics({"w": jnp.ones(2)}))
            nothing is lost
        """
        return self.functions.check_numerics(params, lr)


class OptaxAdam:
    """The functions of one transformation.

    Attributes:
        adam: the Adam; a number stands in for each hyperparameter in ``hyper``.
        lr: the learning rate if it is an array, else None.
        hyper: the other hyperparameters that are arrays, or functions of the clock, by name.
        mask: the leaves to which weight decay applies; None: all.
        conjugate: True if complex gradients are conjugated first.
        rest: returns the states after that of the moments in optax' chain; None if optax has no such Adam.
        warns: True if ``init`` warns of what dtypes lose; or the learning rate to look at.
        clip: how gradients are clipped; None if they are not.
        compiled: :meth:`step`, compiled, with donated parameters and state.
    """

    def __init__(
        self,
        adam: Adam,
        lr: Any,
        hyper: Mapping[str, Any],
        mask: Any,
        conjugate: bool,
        rest: Callable[[], tuple[Any, ...]] | None,
        warns: bool | float = False,
        clip: Clip | None = None,
    ) -> None:
        self.adam, self.lr, self.hyper, self.mask, self.conjugate = adam, lr, hyper, mask, conjugate
        self.rest, self.warns, self.clip = rest, warns, clip
        self.compiled = jax.jit(self.step_whole, donate_argnums=(0, 2))

    def init(self, params: Tree) -> Tree:
        """Return the state before the first step, as :meth:`adamcore.Adam.init`.

        A leaf may also be an array of NumPy, a number, or a ``jax.ShapeDtypeStruct``.
        """
        if not jax.tree.leaves(params):
            state = self.without_leaves(params)
        else:
            if self.warns is not False:
                self.check_numerics(params, None if self.warns is True else self.warns).warn()
            state = self.adam.init(lifted(params))
        if self.rest is None:
            return OptaxAdamState(*state)
        return chained(state, self.rest())

    def check_numerics(self, params: Tree, lr: Any = None) -> NumericsReport:
        """Return the report of :meth:`AdamTransformation.check_numerics`."""
        numbers: dict[str, Any] = {}
        for name, x in self.hyper.items():
            numbers[name] = 0.0 if callable(x) else known(name, x, backend)
            if numbers[name] is None:
                raise HyperparameterError(
                    f"{name} is an array whose value only the program knows: expected a number; check the "
                    "numerics outside of jit"
                )
        adam = replace(self.adam, **numbers)
        params, lr = lifted(params), self.lr if lr is None else lr
        if self.mask is None:
            return adam.check_numerics(params, lr)
        decays = {path for path, decays in flags(self.mask, params).items() if decays}
        others = by_path(params).keys() - decays
        return NumericsReport.of(
            each.check_numerics(pick(params, own), lr)
            for each, own in ((adam, decays), (replace(adam, weight_decay=0.0), others))
            if own
        )

    def without_leaves(self, params: Tree) -> AdamState:
        """Return the state of a tree without arrays, such as the placeholder of ``optax.tree_map_params``.

        That placeholder stands for the parameters, so that the clocks are no copies of it: they are 0-d.
        """
        own = self.adam.clock == "per-parameter" and not type(params).__name__.endswith("Placeholder")
        maxima = None if self.adam.amsgrad == "none" else params
        product: Any = None
        if self.adam.nesterov == "dozat":
            product = params if own else jnp.asarray(1.0)
        t = params if own else jnp.zeros((), jnp.int32)
        beside = {name: params for name, (_, there) in kept_parts_of(self.adam).items() if there}
        return AdamState(t, params, params, maxima, product, **beside)

    def update(
        self,
        updates: Tree,
        state: Tree,
        params: Tree = None,
        *,
        present: Tree = None,
        grad_scale: Any = None,
        found_inf: Any = None,
        **extra: Any,
    ) -> tuple[Tree, Tree]:
        """Return ``p_new - p`` of each leaf and the new state; other transformations read ``extra``."""
        own, counts, packed = unpacked(state)
        updates = lifted(updates)
        if params is None:
            needs = "weight decay" if self.adam.weight_decay else f"p_storage={self.adam.p_storage!r}"
            if self.adam.weight_decay or self.adam.p_storage != "plain":
                raise ParameterError(
                    f"params is None: expected the parameters, since {needs} needs them; call "
                    "update(grads, state, params)"
                )
            params = self.stand_ins(own, updates)
        params = aligned(params, own.m)
        loss_scale = LossScale(grad_scale, found_inf)
        new, after = self.step(params, updates, own, counts, None, present, loss_scale)
        if self.adam.p_storage != "plain":
            new = jax.tree.map(lambda x: cast(x, jnp.float32) if is_kept(x) else x, new)
        return jax.tree.map(difference, new, params), packed(after, loss_scale.skipped)

    def stand_ins(self, state: AdamState, grads: Tree) -> Tree:
        """Return parameters of 0, in the dtypes that the state tells, or else in those of the gradients."""
        adam = self.adam
        own_m = adam.m_dtype is None and adam.m_storage not in IN_8_BITS
        own_v = adam.v_dtype is None and adam.v_storage not in IN_8_BITS and adam.complex != "modulus"
        if adam.moment_dtype is not None or not (own_m or own_v):
            return jax.tree.map(jnp.zeros_like, grads)
        return jax.tree.map(jnp.zeros_like, state.m if own_m else state.v)

    def step_whole(
        self, params: Tree, grads: Tree, state: Tree, lr: Any, present: Tree, loss_scale: LossScale
    ) -> tuple[Tree, Tree]:
        """Return the new parameters, in their own dtypes, and the new state."""
        own, counts, packed = unpacked(state)
        params = aligned(params, own.m)
        new, after = self.step(params, lifted(grads), own, counts, lr, present, loss_scale)
        new = jax.tree.map(lambda x, p: cast(x, p.dtype), new, params)
        return new, packed(after, loss_scale.skipped)

    def step(
        self,
        params: Tree,
        grads: Tree,
        state: AdamState,
        counts: Mapping[str, Any],
        lr: Any,
        present: Tree,
        loss_scale: LossScale,
    ) -> tuple[Tree, AdamState]:
        """Return the new parameters, each in the dtype in which it was stepped, and the new state.

        A schedule sees its own count, if ``counts`` has one, and else the clock of the moments.
        """
        own = AdamState(*map(lifted, state))
        if not jax.tree.leaves(params):
            ticks = self.adam.clock == "global"
            return params, own._replace(t=following(own.t, loss_scale.skipped)) if ticks else own
        if self.conjugate:
            grads = jax.tree.map(jnp.conj, grads)
        parts = parts_of(params, grads, own, self.mask, keep=self.adam.p_storage != "plain")
        rate = self.lr if lr is None else lr
        if rate is None and "lr" in counts and callable(self.adam.lr):
            rate = self.adam.lr(counts["lr"] + 1)
        hyper = dict(self.hyper)
        if "weight_decay" in counts and callable(hyper.get("weight_decay")):
            hyper["weight_decay"] = hyper["weight_decay"](counts["weight_decay"] + 1)

        clip = self.clip
        if clip is not None and clip.global_norm is not None and len({*parts.values()}) > 1:
            total = (
                total_norm(self.adam, ParamTree(params), grads, present) if clip.total is None else clip.total
            )
            scale = loss_scale.grad_scale if clip.total is None else None
            clip = clip._replace(total=total if scale is None else total / scale)

        def one(part: Part, p: Tree, g: Tree, s: AdamState, present: Tree) -> tuple[Tree, AdamState]:
            own_hyper = hyper if part.decays else undecayed
            return step.step(self.of(part), p, g, s, rate, present, False, own_hyper, loss_scale, clip)

        undecayed = {name: x for name, x in hyper.items() if name != "weight_decay"}
        params, grads = widened(params, grads, keep=self.adam.p_storage != "plain")
        return in_parts(parts, (params, grads, own, present), one)

    def of(self, part: Part) -> Adam:
        """Return the Adam that steps a part."""
        adam = self.adam if part.decays else replace(self.adam, weight_decay=0.0)
        dtypes: dict[str, Any] = {"m_dtype": part.m, "v_dtype": part.v}
        return replace(adam, **{name: dtype for name, dtype in dtypes.items() if dtype is not None})


def difference(new: Any, old: Any) -> Any:
    """Return ``new - old``, and -0.0 where they are equal: adding it changes no number, 0.0 included."""
    old = cast(old, new.dtype)
    return jnp.where(new == old, jnp.asarray(-0.0, dtype=new.dtype), new - old)
