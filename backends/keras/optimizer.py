"""``Adam`` and ``AdamW`` for Keras 3, on Keras' torch, jax and numpy backends.

Keras' base class still does its part: schedules, clipping, averages of the weights, loss scaling, gradient
accumulation, constraints and saving.  The step itself is :meth:`adamcore.Adam.step` on the arrays in the
variables.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from adamcore import axes
from adamcore.adam import Adam as Core
from adamcore.backends.decay_exclusions import KEY, DecayExclusions
from adamcore.config import MOMENT_STORAGE
from adamcore.dialects import dialect as dialect_named
from adamcore.errors import AxisError, BackendError, HyperparameterError, StateError
from adamcore.numerics import NumericsReport
from adamcore.state import AdamState
from adamcore.step import step

RUNS_ON = ("torch", "jax", "numpy")
AXES = (
    "bias_correction", "decay", "decay_order", "cautious_decay", "amsgrad", "nesterov", "clock", "maximize",
)  # fmt: skip
#: The field of `adamcore.Adam` that each argument of the constructor sets.
FIELDS = {
    "beta_1": "b1",
    "beta_2": "b2",
    "epsilon": "eps",
    "eps_root": "eps_root",
    "weight_decay": "weight_decay",
    "momentum_decay": "momentum_decay",
    "lr_max": "lr_max",
    "epsilon_rule": "epsilon",
} | {axis: axis for axis in AXES}
OF_DIALECT: Any = object()  #: an argument that was not given, where None is another thing


class Setting:
    """An argument of the constructor as an attribute that can be set between steps, as in Keras.

    It reads and replaces one field of the optimizer's ``adam``.

    Raises:
        HyperparameterError, AxisError: the value is none for this field, or the optimizer is built without
            the state that it needs.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        if optimizer is None:
            return self
        value = getattr(optimizer.adam, FIELDS[self.name])
        if self.name == "amsgrad":
            return bool(value != "none")
        return (value or None) if self.name == "weight_decay" else value

    def __set__(self, optimizer: Any, value: Any) -> None:
        if self.name == "amsgrad":
            value = amsgrad_axis(value)
        if self.name == "weight_decay" and value is None:
            value = 0.0
        old = optimizer.adam
        if self.name == "decay" and value in axes.RELATIVE and not old.lr_max:
            raise AxisError(f"decay={value!r}: expected an lr_max > 0, by which lr is divided; set it first")
        new = replace(old, **{FIELDS[self.name]: value})
        if optimizer.built and (
            old.clock != new.clock
            or (old.nesterov == "dozat") != (new.nesterov == "dozat")
            or (new.amsgrad != "none" and not hasattr(optimizer, "_velocity_hats"))
        ):
            raise AxisError(
                f"{self.name}={value!r}: the optimizer is built, and its variables are those of "
                f"{getattr(old, FIELDS[self.name])!r}; make another optimizer"
            )
        optimizer.adam = new


def amsgrad_axis(value: bool | axes.Amsgrad) -> axes.Amsgrad:
    """Return a value of the axis ``amsgrad`` for Keras' boolean, and any other value as it is."""
    return ("uncorrected" if value else "none") if isinstance(value, bool) else value


@keras.saving.register_keras_serializable(package="adamcore")
class Adam(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An Adam of any dialect as a Keras optimizer; by default it replaces ``keras.optimizers.Adam``.

    If a gradient is None, Keras leaves the variable out of the step and warns; weights and moments stay as
    they are.  With ``clock="per-parameter"`` the clock of that variable does not advance either (rule F1).
    :meth:`exclude_from_weight_decay` also works with ``decay="l2"``.

    The first arguments are Keras', in Keras' order.  Every argument is an attribute as well, and what is
    assigned to it holds from the next step on; but a program that Keras has compiled (``jit_compile``, as
    always on JAX) goes on with what it was compiled with, as Keras' own optimizers do.

    Args:
        learning_rate: a number, a ``LearningRateSchedule`` or a callable without arguments.  Keras keeps
            it in float32; a schedule sees the number of updates made before.  None: the dialect's default.
        beta_1, beta_2, epsilon: numbers, the b1, b2 and eps of :class:`adamcore.Adam`.  None: the
            dialect's default.
        amsgrad: a boolean as in Keras, or a value of the axis.  None: the dialect's.
        eps_root, weight_decay, momentum_decay, lr_max: numbers, as for :class:`adamcore.Adam`.  None: the
            dialect's default.
        dialect: a row of :mod:`adamcore.dialects`, which gives the axes and the defaults.
        epsilon_rule: the axis ``epsilon`` of docs/spec.md.  None: the dialect's.
        bias_correction, decay, decay_order, cautious_decay, nesterov, clock, maximize: the other axes.
            None: the dialect's.
        check_numerics: True to be warned (:class:`adamcore.numerics.NumericsWarning`), when the optimizer is
            built, of what the dtypes of its variables lose, as :meth:`check_numerics` reports it; or the
            learning rate to look at.
        name: the optimizer's name.
        clipnorm, clipvalue, global_clipnorm: as for Keras' base class.
        use_ema, ema_momentum, ema_overwrite_frequency: as for Keras' base class.
        loss_scale_factor, gradient_accumulation_steps: as for Keras' base class.
        options: what Keras' base class takes besides.

    Raises:
        BackendError: Keras runs on a library for which there is no backend here, or a ``p_storage`` is
            asked for.
        DialectError, HyperparameterError, AxisError: as :meth:`adamcore.Adam.like`.

    Example:
        >>> optimizer = Adam(1e-3, dialect="torch.AdamW", weight_decay=0.1)
        >>> optimizer.adam.decay
        'decoupled'
    """

    dialect = "keras.Adam"  #: the dialect of arguments that are not given
    adam: Core
    warns: bool | float  #: the argument check_numerics
    exclusions = DecayExclusions()
    excluded: frozenset[int] = frozenset()  #: positions of variables without decay, once it is built
    compiled = False  #: True after a step of the kind that Keras compiles on JAX

    beta_1, beta_2, epsilon, eps_root = Setting(), Setting(), Setting(), Setting()
    weight_decay, momentum_decay, epsilon_rule = Setting(), Setting(), Setting()
    bias_correction, decay, decay_order, amsgrad = Setting(), Setting(), Setting(), Setting()
    cautious_decay, lr_max = Setting(), Setting()
    nesterov, clock, maximize = Setting(), Setting(), Setting()

    def __init__(
        self,
        learning_rate: Any = None,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        amsgrad: bool | axes.Amsgrad | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        dialect: str | None = None,
        eps_root: float | None = None,
        momentum_decay: float | None = None,
        lr_max: float | None = None,
        epsilon_rule: axes.Epsilon | None = None,
        bias_correction: axes.BiasCorrection | None = None,
        decay: axes.Decay | None = None,
        decay_order: axes.DecayOrder | None = None,
        cautious_decay: bool | None = None,
        nesterov: axes.Nesterov | None = None,
        clock: axes.Clock | None = None,
        maximize: bool | None = None,
        check_numerics: bool | float = False,
        **options: Any,
    ) -> None:
        if keras.backend.backend() not in RUNS_ON:
            raise BackendError(
                f"Keras runs on {keras.backend.backend()!r}: expected "
                f"{', '.join(map(repr, RUNS_ON[:-1]))} or {RUNS_ON[-1]!r}; set KERAS_BACKEND before keras "
                "is imported"
            )
        for storage in ("p_storage", *MOMENT_STORAGE):
            policy = options.pop(storage, "plain")
            if policy != "plain":
                kept = "what it keeps of parameters" if storage == "p_storage" else "codes and scales"
                why = f"Keras' variables have no place for {kept}"
                if policy == "stochastic":
                    why = "this optimizer draws no random bits"
                raise BackendError(
                    f"{storage}={policy!r}: {why}; expected 'plain'; use adamcore.backends.torch or "
                    "adamcore.backends.jax"
                )
        name_of_row = type(self).dialect if dialect is None else dialect
        given: dict[str, Any] = {
            "b1": beta_1,
            "b2": beta_2,
            "eps": epsilon,
            "eps_root": eps_root,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "lr_max": lr_max,
            "epsilon": epsilon_rule,
            "bias_correction": bias_correction,
            "decay": decay,
            "decay_order": decay_order,
            "cautious_decay": cautious_decay,
            "amsgrad": None if amsgrad is None else amsgrad_axis(amsgrad),
            "nesterov": nesterov,
            "clock": clock,
            "maximize": maximize,
        }
        chosen = {field: value for field, value in given.items() if value is not None}
        row = dialect_named(name_of_row)
        if learning_rate is None:
            learning_rate = row.adam(**chosen).lr
        if chosen.get("decay", row.axes.get("decay")) in axes.RELATIVE:
            chosen["lr_max"] = row.adam(**chosen, lr=learning_rate).lr_max
        core = row.adam(**chosen, lr=1.0)
        learning_rate = float(learning_rate) if isinstance(learning_rate, int) else learning_rate
        object.__setattr__(self, "adam", core)  # Keras' own __setattr__ works after its __init__ alone
        object.__setattr__(self, "built", False)
        object.__setattr__(self, "warns", check_numerics)
        super().__init__(
            learning_rate,
            weight_decay=core.weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
            **options,
        )
        self.dialect = name_of_row

    def build(self, variables: list[Any]) -> None:
        """Make the moments, in the order and with the names of ``keras.optimizers.Adam``."""
        if self.built:
            return
        self.excluded = self.exclusions.among(variables)
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
        if self.warns is not False:
            self.check_numerics(None if self.warns is True else self.warns).warn()

    def exclude_from_weight_decay(
        self, var_list: list[Any] | None = None, var_names: list[str] | None = None
    ) -> None:
        """Leave variables out of weight decay, beside those that earlier calls named.

        A configuration has them, and so has a saved model.  Keras' own method replaces what was named before.

        Args:
            var_list: variables of the model.
            var_names: regular expressions.  Each is searched for in the variables' names, as by Keras
                (``"bias"``, ``"gamma"``); one that is in none of them is searched for in their paths, which
                have the names of the layers (``"layer_norm"``).

        Raises:
            HyperparameterError: ``var_names`` is no list of regular expressions.
            StateError: Keras has compiled a step (on JAX), which would go on without it.

        Warns:
            UserWarning: a name or a variable is none of those that are trained.  If the optimizer is not
                built yet, the warning comes when it is.

        Example:
            >>> optimizer = AdamW(1e-3, weight_decay=0.1)
            >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
            >>> optimizer.exclude_from_weight_decay(var_names=["layer_norm"])
            >>> optimizer.exclusions.names
            ('bias', 'layer_norm')
        """
        if self.compiled:
            raise StateError(
                "exclude_from_weight_decay: Keras has compiled a step, which would go on without this call: "
                "expected one before the first step; save the model, load it, and call it then"
            )
        exclusions = self.exclusions.and_also(var_list, var_names)
        if self.built:
            self.excluded = exclusions.among(self._trainable_variables)
        self.exclusions = exclusions

    def _use_weight_decay(self, variable: Any) -> bool:
        """Return whether a variable decays, as Keras' method of this name."""
        return self._get_variable_index(variable) not in self.excluded

    def _get_current_learning_rate(self) -> Any:
        """Return the learning rate, computed in float32 also where ``floatx`` has 16 bits."""
        floatx = keras.config.floatx()
        if floatx not in ("bfloat16", "float16"):
            return super()._get_current_learning_rate()
        keras.config.set_floatx("float32")
        try:
            rate = super()._get_current_learning_rate()
            return keras.ops.convert_to_tensor(rate) if isinstance(rate, float) else rate
        finally:
            keras.config.set_floatx(floatx)

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        """Return what a step makes of values, as Keras' method: Keras compiles it on JAX."""
        stepped = super().stateless_apply(optimizer_variables, grads, trainable_variables)
        self.compiled = True
        return stepped

    def check_numerics(self, lr: float | None = None) -> NumericsReport:
        """Return what the dtypes would lose, as :meth:`adamcore.Adam.check_numerics`, of a built optimizer.

        Args:
            lr: the learning rate to look at, such as the largest of a schedule; None for the present one.
        """
        lr = float(keras.ops.convert_to_numpy(self.learning_rate)) if lr is None else lr
        kinds: dict[bool, dict[str, Any]] = {True: {}, False: {}}
        for variable in self._trainable_variables:
            decays = bool(self.adam.weight_decay) and self._use_weight_decay(variable)
            kinds[decays][variable.path] = variable.value
        plain = replace(self.adam, weight_decay=0.0)
        return NumericsReport.of(
            (self.adam if decays else plain)
            .check_numerics(values, lr)
            .renamed({f"params[{path!r}]": path for path in values})
            for decays, values in kinds.items()
            if values
        )

    def load_own_variables(self, store: Any) -> None:
        """Set the state to a saved one, as Keras does when it loads a model.

        Raises:
            StateError: a variable does not hold the saved value: Keras would round it (MOM.4).
        """
        if len(store.keys()) == len(self.variables):
            for i, variable in enumerate(self.variables):
                saved = np.asarray(store[str(i)])
                kept = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(saved, variable.dtype)))
                if not np.array_equal(saved.astype(np.float64), kept.astype(np.float64), equal_nan=True):
                    raise StateError(
                        f"{variable.path} was saved in {saved.dtype} and is {variable.dtype} now, which does "
                        "not hold it: a second moment that becomes 0 makes a huge step; load it into a model "
                        f"of {saved.dtype}, or round it yourself with set_weights"
                    )
        super().load_own_variables(store)

    def _scalar(self, variable: Any, name: str, dtype: str, start: str) -> Any:
        """Return a new 0-d variable of the optimizer, named after a variable of the model or after none."""
        path = name if variable is None else f"{variable.path.replace('/', '_')}_{name}"
        return self.add_variable((), initializer=start, dtype=dtype, name=path)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable, as :meth:`adamcore.Adam.step`; Keras' base class calls this."""
        self._backend_update_step([gradient], [variable], learning_rate)

    def _backend_update_step(self, grads: list[Any], variables: list[Any], learning_rate: Any) -> None:
        """Update the variables with weight decay, then those without."""
        indices = [self._get_variable_index(v) for v in variables]
        decays = [bool(self.adam.weight_decay) and self._use_weight_decay(v) for v in variables]
        product = None  # with a global clock there is one for all, assigned once
        for kind, adam in ((True, self.adam), (False, replace(self.adam, weight_decay=0.0))):
            group = [
                (index, variable, gradient)
                for index, variable, gradient, d in zip(indices, variables, grads, decays, strict=True)
                if d is kind
            ]
            if group:
                product = self._step(adam, group, learning_rate)
        if product is not None:
            self._mu_products[0].assign(product)

    def _step(self, adam: Core, group: list[tuple[int, Any, Any]], learning_rate: Any) -> Any:
        """Update some variables; return the product of Dozat's schedule if all of them share one."""
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
        """Do nothing: the step includes the decay."""

    def get_config(self) -> dict[str, Any]:
        """Return the configuration from which ``from_config`` makes the same optimizer."""
        own = {name: getattr(self.adam, field) for name, field in FIELDS.items()}
        warns = {} if self.warns is False else {"check_numerics": self.warns}
        return {
            **super().get_config(),
            "dialect": self.dialect,
            **own,
            **warns,
            **self.exclusions.config(self._trainable_variables),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Adam:
        """Return the optimizer of a configuration, and what it excludes from weight decay."""
        rest = {key: value for key, value in config.items() if key != KEY}
        optimizer: Adam = super().from_config(rest, custom_objects)
        optimizer.exclusions = DecayExclusions.of_config(config)
        return optimizer


@keras.saving.register_keras_serializable(package="adamcore")
class AdamW(Adam):
    """:class:`Adam` with the axes, the defaults and the order of arguments of ``keras.optimizers.AdamW``.

    Raises:
        HyperparameterError: ``weight_decay`` is None, as in Keras; left out, it is the dialect's default.

    Example:
        >>> AdamW(1e-3).adam.decay_order
        'before'
    """

    dialect = "keras.AdamW"

    def __init__(
        self,
        learning_rate: Any = None,
        weight_decay: float = OF_DIALECT,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        amsgrad: bool | axes.Amsgrad | None = None,
        *rest: Any,
        **options: Any,
    ) -> None:
        if weight_decay is None:
            raise HyperparameterError(
                "Argument `weight_decay` must be a float. Received: weight_decay=None; leave it out for the "
                "dialect's default, or take Adam for no decay"
            )
        decay = None if weight_decay is OF_DIALECT else weight_decay
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, decay, *rest, **options)
