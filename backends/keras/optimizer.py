"""Adam as a Keras 3 optimizer, for ``model.fit`` on Keras' torch, jax and numpy backends.

What Keras' base class does stays Keras': schedules, clipping, averages of the weights, loss scaling,
gradient accumulation, constraints, saving.  The step itself is :meth:`adamcore.Adam.step`, on the
arrays in the variables.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from adamcore import axes
from adamcore.adam import Adam as Core
from adamcore.dialects import dialect as dialect_named
from adamcore.errors import BackendError
from adamcore.state import AdamState
from adamcore.step import step

RUNS_ON = ("torch", "jax", "numpy")
#: Constructor arguments -> fields of `adamcore.Adam`.
FIELDS = {
    "beta_1": "b1", "beta_2": "b2", "epsilon": "eps", "eps_root": "eps_root", "weight_decay": "weight_decay",
    "momentum_decay": "momentum_decay", "epsilon_rule": "epsilon",
} | {name: name for name in ("bias_correction", "decay", "decay_order", "amsgrad", "nesterov", "clock",
                             "maximize")}  # fmt: skip


@keras.saving.register_keras_serializable(package="adamcore")
class Adam(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Any Adam as a Keras optimizer; without more it stands in for ``keras.optimizers.Adam``.

    Args:
        learning_rate: a number, a ``LearningRateSchedule`` or a callable without arguments, as
            everywhere in Keras: kept in float32, a schedule sees the number of updates made before.
            None: the dialect's default.
        beta_1, beta_2, epsilon, eps_root, weight_decay, momentum_decay: b1, b2, eps, ... of
            :class:`adamcore.Adam`; None: the dialect's default.
        dialect: a row of :mod:`adamcore.dialects` that gives axes and defaults.
        epsilon_rule, bias_correction, decay, ..., maximize: axes that differ from the row's, as of
            :class:`adamcore.Adam` (``epsilon_rule`` is its axis ``epsilon``).
        options: what Keras' base class takes: ``clipnorm``, ``clipvalue``, ``global_clipnorm``,
            ``use_ema``, ``ema_momentum``, ``ema_overwrite_frequency``, ``loss_scale_factor``,
            ``gradient_accumulation_steps``, ``name``.

    Where a gradient is None, Keras leaves the variable out, with a warning; its weights and moments
    stand still.  With ``clock="per-parameter"`` each variable has a clock of its own, which then
    stands still too.  ``exclude_from_weight_decay`` works, under L2 as well.

    Raises:
        BackendError: Keras runs on a library without a backend here.
        DialectError, HyperparameterError, AxisError: as :meth:`adamcore.Adam.like`.

    Example:
        >>> optimizer = Adam(1e-3, dialect="torch.AdamW", weight_decay=0.1)
        >>> optimizer.adam.decay
        'decoupled'
    """

    default_dialect = "keras.Adam"

    def __init__(
        self,
        learning_rate: Any = None,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        amsgrad: bool | axes.Amsgrad | None = None,
        weight_decay: float | None = None,
        *,
        dialect: str | None = None,
        eps_root: float | None = None,
        momentum_decay: float | None = None,
        epsilon_rule: axes.Epsilon | None = None,
        bias_correction: axes.BiasCorrection | None = None,
        decay: axes.Decay | None = None,
        decay_order: axes.DecayOrder | None = None,
        nesterov: axes.Nesterov | None = None,
        clock: axes.Clock | None = None,
        maximize: bool | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if keras.backend.backend() not in RUNS_ON:
            raise BackendError(
                f"Keras runs on {keras.backend.backend()!r}: expected "
                f"{', '.join(map(repr, RUNS_ON[:-1]))} or {RUNS_ON[-1]!r}; set KERAS_BACKEND before keras "
                "is imported"
            )
        name_of_row = self.default_dialect if dialect is None else dialect
        if isinstance(amsgrad, bool):
            amsgrad = "uncorrected" if amsgrad else "none"
        given: dict[str, Any] = {
            "b1": beta_1, "b2": beta_2, "eps": epsilon, "eps_root": eps_root, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "epsilon": epsilon_rule, "bias_correction": bias_correction,
            "decay": decay, "decay_order": decay_order, "amsgrad": amsgrad, "nesterov": nesterov,
            "clock": clock, "maximize": maximize,
        }  # fmt: skip
        chosen = {field: value for field, value in given.items() if value is not None}
        row = dialect_named(name_of_row)
        if learning_rate is None:
            learning_rate = row.adam(**chosen).lr
        core = row.adam(**chosen, lr=1.0)
        learning_rate = float(learning_rate) if isinstance(learning_rate, int) else learning_rate
        super().__init__(learning_rate, weight_decay=core.weight_decay or None, name=name, **options)
        self.dialect, self.adam = name_of_row, core

    def build(self, variables: list[Any]) -> None:
        """Make the moments, in the order and under the names of ``keras.optimizers.Adam``."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        if self.adam.amsgrad != "none":
            self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat")
        if self.adam.clock == "per-parameter":
            self._clocks = [self._scalar(v, "clock", "int32", "zeros") for v in variables]
        if self.adam.nesterov == "dozat":
            wide = keras.backend.floatx() if keras.backend.backend() == "jax" else "float64"
            each = variables if self.adam.clock == "per-parameter" else [None]
            self._mu_products = [self._scalar(v, "mu_product", wide, "ones") for v in each]

    def _scalar(self, variable: Any, name: str, dtype: str, start: str) -> Any:
        """A 0-d variable of the optimizer, beside a variable of the model."""
        path = name if variable is None else f"{variable.path.replace('/', '_')}_{name}"
        return self.add_variable((), initializer=start, dtype=dtype, name=path)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's step, as of :meth:`adamcore.Adam.step`."""
        self._backend_update_step([gradient], [variable], learning_rate)

    def _backend_update_step(self, grads: list[Any], variables: list[Any], learning_rate: Any) -> None:
        """The step of all variables: those that decay, then the others."""
        places = [self._get_variable_index(v) for v in variables]
        decays = [bool(self.adam.weight_decay) and self._use_weight_decay(v) for v in variables]
        product = None  # one for all, under a global clock: written once
        for kind, adam in ((True, self.adam), (False, replace(self.adam, weight_decay=0.0))):
            mine = [k for k, d in enumerate(decays) if d is kind]
            if mine:
                product = self._step(adam, [(places[k], variables[k], grads[k]) for k in mine], learning_rate)
        if product is not None:
            self._mu_products[0].assign(product)

    def _step(self, adam: Core, group: list[tuple[int, Any, Any]], learning_rate: Any) -> Any:
        """Step a group; returns the product of Dozat's schedule where there is one for all."""
        own_clocks, dozat = adam.clock == "per-parameter", adam.nesterov == "dozat"

        def values(store: list[Any]) -> list[Any]:
            return [store[i].value for i, _, _ in group]

        products = None
        if dozat:
            products = values(self._mu_products) if own_clocks else self._mu_products[0].value
        maxima = adam.amsgrad != "none"
        state = AdamState(
            values(self._clocks) if own_clocks else keras.ops.convert_to_tensor(self.iterations),
            values(self._momentums),
            values(self._velocities),
            values(self._velocity_hats) if maxima else None,
            products,
        )
        params = [v.value for _, v, _ in group]
        gradients = [keras.ops.cast(g, v.dtype) for _, v, g in group]
        lr = keras.ops.convert_to_tensor(learning_rate)
        params, state = step(adam, params, gradients, state, lr, None, False)

        for k, (i, variable, _) in enumerate(group):
            variable.assign(params[k])
            self._momentums[i].assign(state.m[k])
            self._velocities[i].assign(state.v[k])
            if maxima:
                self._velocity_hats[i].assign(state.v_max[k])
            if own_clocks:
                self._clocks[i].assign(state.t[k])
                if dozat:
                    self._mu_products[i].assign(state.mu_product[k])
        return None if own_clocks or not dozat else state.mu_product

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Nothing: the decay is part of the step."""

    def get_config(self) -> dict[str, Any]:
        """What ``from_config`` makes the same optimizer from."""
        own = {name: getattr(self.adam, field) for name, field in FIELDS.items()}
        return {**super().get_config(), "dialect": self.dialect, **own}


@keras.saving.register_keras_serializable(package="adamcore")
class AdamW(Adam):
    """:class:`Adam` with the axes and defaults of ``keras.optimizers.AdamW``."""

    default_dialect = "keras.AdamW"
