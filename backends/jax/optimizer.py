"""``adam``, ``adamw``, ``amsgrad``, ``nadam`` and ``nadamw`` as optax transformations (docs/jax.md).

``update`` returns ``p_new - p``, and :func:`optax.apply_updates` adds it to p.  If p and p_new are within a
factor of 2 of each other, the difference is exact and the sum is ``p_new`` bit for bit.  Otherwise the sum is
at most 1 ULP of max(|p|, |p_new - p|) away from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamcore import axes
from adamcore.backends.jax.backend import backend
from adamcore.backends.jax.transformation import AdamTransformation, OptaxAdam
from adamcore.config import HYPERPARAMETERS
from adamcore.dialects import dialect
from adamcore.dtypes import parts_of
from adamcore.errors import HyperparameterError
from adamcore.step.clipping import Clip, check_clip
from adamcore.storage.moments import MomentStorage
from adamcore.storage.policies import PStorage
from adamcore.types import Scalar

#: The values with which an Adam is validated if a hyperparameter is an array or a schedule; none is 0.
STAND_IN = {
    "lr": 1.0,
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-8,
    "eps_root": 1e-8,
    "weight_decay": 0.01,
    "momentum_decay": 4e-3,
    "lr_max": 1e-3,
}


def adam(
    learning_rate: Any = None,
    b1: Any = None,
    b2: Any = None,
    eps: Any = None,
    eps_root: Any = None,
    mu_dtype: Any = None,
    weight_decay: Any = None,
    mask: Any = None,
    *,
    momentum_decay: Any = None,
    lr_max: Any = None,
    dialect: str = "optax.adam",
    epsilon: axes.Epsilon | None = None,
    bias_correction: axes.BiasCorrection | None = None,
    decay: axes.Decay | None = None,
    decay_order: axes.DecayOrder | None = None,
    cautious_decay: bool | None = None,
    amsgrad: axes.Amsgrad | None = None,
    nesterov: bool | axes.Nesterov | None = None,
    missing: axes.Missing | None = None,
    clock: axes.Clock | None = None,
    all_missing: axes.AllMissing | None = None,
    maximize: bool | None = None,
    complex: axes.Complex | None = None,  # noqa: A002
    moment_dtype: str | None = None,
    m_dtype: str | None = None,
    v_dtype: str | None = None,
    p_storage: PStorage | None = None,
    seed: int | None = None,
    m_storage: MomentStorage | None = None,
    v_storage: MomentStorage | None = None,
    conjugate: bool = False,
    check_numerics: bool | float = False,
    clip: Clip | None = None,
) -> AdamTransformation:
    """Return an Adam of any dialect as an optax transformation; by default it replaces :func:`optax.adam`.

    Args:
        learning_rate: a number, a 0-d array (also a traced one), or an optax schedule: a function of the
            number of updates made before this one, which is 0 at first.  None: the dialect's default.
        b1, b2, eps, eps_root, momentum_decay, lr_max: numbers, or 0-d arrays as
            ``optax.inject_hyperparams`` passes them; complex arrays stand for their real part.  Betas in 16
            bits are refused.  None: the dialect's default.
        mu_dtype: the dtype of m, as in optax: a dtype or its name.  It is ``m_dtype`` under another name; a
            complex dtype stands for that of its parts.
        weight_decay: a number, a 0-d array, or a schedule like ``learning_rate``.  None: the dialect's
            default.
        mask: the leaves to which weight decay applies: a tree of booleans like the parameters or like the
            upper part of their tree, or a function that makes such a tree from the parameters, as for
            :func:`optax.adamw`.
        dialect: a row of :mod:`adamcore.dialects`, such as "torch.AdamW", which gives the axes and the
            defaults.
        epsilon, ..., complex: axes of docs/spec.md; None: the dialect's.  ``nesterov`` may be a boolean, as
            in optax.
        moment_dtype, m_dtype, v_dtype, p_storage, seed, m_storage, v_storage: as for
            :class:`adamcore.Adam`.  The gradient of a parameter that ``p_storage`` keeps has the parameter's
            dtype; its update is in float32, so that ``optax.apply_updates`` gives the very parameter, as
            ``step`` does.
        conjugate: if True, complex gradients are conjugated first.  ``jax.grad`` returns the conjugate
            of the direction of steepest ascent (rule CPX.3); optax's own optimizers do not conjugate it.
        check_numerics: True to be warned by ``init`` (:class:`adamcore.numerics.NumericsWarning`) of what
            the dtypes of the parameters lose, as the ``check_numerics`` of the result reports it; or the
            learning rate to look at, which a schedule needs.
        clip: an :class:`adamcore.Clip`: gradients are clipped inside the step, after the loss scale is
            divided out, as ``optax.clip_by_global_norm`` does before it; so they are in ``step`` too.

    Returns:
        A ``GradientTransformationExtraArgs``. Where optax has this Adam, its state has optax' own form, a
        tuple that begins with ``ScaleByAdamState(count, mu, nu)``, and a state of optax' is taken as it is.
        Any other has an :class:`adamcore.AdamState` with optax' names of its fields besides. Arrays of
        NumPy, such as flax reads from a file, are taken for those of JAX. A gradient may be of another
        dtype than its parameter: the leaf is then stepped in a dtype that holds both, and its moments keep
        theirs. ``update`` takes ``present=`` as an extra argument. Under ``missing="skip"`` a gradient may
        be None: the update of its parameter is then -0.0, which changes no bit (rule F1).

    Raises:
        DialectError, HyperparameterError, AxisError: as :meth:`adamcore.Adam.like`.
        ParameterError: ``update`` got no ``params``, and weight decay needs them.
        TreeError: the mask is not like the parameters.

    Example:
        >>> import optax
        >>> tx = optax.chain(optax.clip_by_global_norm(1.0), adam(0.1, dialect="torch.AdamW"))
        >>> params = {"w": jnp.ones(2)}
        >>> updates, state = tx.update({"w": jnp.ones(2)}, tx.init(params), params)
        >>> [round(float(x), 4) for x in optax.apply_updates(params, updates)["w"]]
        [0.899, 0.899]
    """
    if mu_dtype is not None:
        if m_dtype is not None:
            raise HyperparameterError(f"mu_dtype={mu_dtype!r} and m_dtype={m_dtype!r}: expected one of them")
        m_dtype = dtype_name(mu_dtype)
    if isinstance(nesterov, bool):
        nesterov = "optax" if nesterov else "none"
    asked = {
        "epsilon": epsilon,
        "bias_correction": bias_correction,
        "decay": decay,
        "decay_order": decay_order,
        "cautious_decay": cautious_decay,
        "amsgrad": amsgrad,
        "nesterov": nesterov,
        "missing": missing,
        "clock": clock,
        "all_missing": all_missing,
        "maximize": maximize,
        "complex": complex,
        "moment_dtype": moment_dtype,
        "m_dtype": m_dtype,
        "v_dtype": v_dtype,
        "p_storage": p_storage,
        "seed": seed,
        "m_storage": m_storage,
        "v_storage": v_storage,
    }
    numbers = {
        "lr": learning_rate,
        "b1": b1,
        "b2": b2,
        "eps": eps,
        "eps_root": eps_root,
        "weight_decay": weight_decay,
        "momentum_decay": momentum_decay,
        "lr_max": lr_max,
    }
    chosen = {name: value for name, value in (asked | numbers).items() if value is not None}
    return transformation(
        dialect, chosen, mask=mask, conjugate=conjugate, check_numerics=check_numerics, clip=clip
    )


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


def nadam(*args: Any, **options: Any) -> AdamTransformation:
    """Return :func:`adam` with the axes and the defaults of :func:`optax.nadam`.

    Args:
        args, options: as for :func:`adam`.

    Raises:
        The errors of :func:`adam`.

    Example:
        >>> nadam(0.1).functions.adam.nesterov
        'optax'
    """
    return adam(*args, **{"dialect": "optax.nadam"} | options)


def nadamw(*args: Any, **options: Any) -> AdamTransformation:
    """Return :func:`adam` with the axes and the defaults of :func:`optax.nadamw`.

    Args:
        args, options: as for :func:`adam`.

    Raises:
        The errors of :func:`adam`.

    Example:
        >>> nadamw(0.1).functions.adam.weight_decay
        0.0001
    """
    return adam(*args, **{"dialect": "optax.nadamw"} | options)


def amsgrad(
    learning_rate: Any = None,
    b1: Any = None,
    b2: Any = None,
    eps: Any = None,
    eps_root: Any = None,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    **options: Any,
) -> AdamTransformation:
    """Return :func:`adam` with the axes, the defaults and the order of arguments of :func:`optax.amsgrad`.

    Args:
        learning_rate, b1, b2, eps, eps_root, mu_dtype, options: as for :func:`adam`.
        bias_correction_mu: True if m is corrected (BC.1).
        bias_correction_nu: True if v is corrected before the largest is taken (BC.2, AMS.2).

    Raises:
        The errors of :func:`adam`.

    Example:
        >>> amsgrad(0.1, bias_correction_mu=False).functions.adam.bias_correction
        'second'
    """
    chosen = {"bias_correction_mu": bias_correction_mu, "bias_correction_nu": bias_correction_nu}
    off = ", ".join(f"{name}=False" for name, value in chosen.items() if not value)
    own = dict(dialect("optax.amsgrad").options[off]) if off else {}
    given = {name: value for name, value in options.items() if value is not None}
    options = {"dialect": "optax.amsgrad"} | own | given
    return adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, **options)


def signature_like_adam(dialect_name: str, own: inspect.Signature | None = None) -> inspect.Signature:
    """Return the signature of :func:`adam` with another dialect; help() and ``inject_hyperparams`` read it.

    Its learning rate has optax' annotation, by which programs find the optimizers that take a schedule.

    Args:
        dialect_name: the default of ``dialect``.
        own: the signature of a function whose arguments by position come first.
    """
    known = inspect.signature(adam).parameters
    ours = {name: p.replace(default=dialect_name) if name == "dialect" else p for name, p in known.items()}
    rate = ours["learning_rate"] = known["learning_rate"].replace(annotation=optax.ScalarOrSchedule)
    if own is None:
        return inspect.Signature(list(ours.values()), return_annotation=AdamTransformation)
    given = [p for p in own.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    first = [rate if p.name == rate.name else p for p in given]
    rest = [p.replace(kind=p.KEYWORD_ONLY) for name, p in ours.items() if name not in own.parameters]
    return inspect.Signature([*first, *rest], return_annotation=AdamTransformation)


for _function in (adam, adamw, nadam, nadamw, amsgrad):
    _own = inspect.signature(amsgrad) if _function is amsgrad else None
    _signature = signature_like_adam(f"optax.{_function.__name__}", _own)
    setattr(_function, "__signature__", _signature)  # noqa: B010


def transformation(
    dialect_name: str,
    chosen: dict[str, Any],
    *,
    mask: Any = None,
    conjugate: bool = False,
    check_numerics: bool | float = False,
    clip: Clip | None = None,
) -> AdamTransformation:
    """Return the transformation of a dialect, with the ``chosen`` fields of :class:`adamcore.Adam`.

    Raises:
        The errors of :func:`adam`.
    """
    if clip is not None:
        check_clip(clip, backend)
    lr_given, decay_given = chosen.get("lr"), chosen.get("weight_decay")
    chosen |= {name: real(name, chosen[name]) for name in HYPERPARAMETERS if name in chosen}
    hyper = {n: chosen.pop(n) for n in HYPERPARAMETERS if isinstance(chosen.get(n), jax.Array)}
    check_betas(hyper)
    lr = hyper.pop("lr", None)
    if callable(chosen.get("lr")):
        chosen["lr"] = after(chosen["lr"])
    if callable(chosen.get("weight_decay")):
        hyper["weight_decay"] = after(chosen.pop("weight_decay"))
    stand_in = {name: STAND_IN[name] for name in (*hyper, *(["lr"] if lr is not None else []))}
    core = dialect(dialect_name).adam(**chosen, **stand_in)
    if lr is not None and core.decay in axes.RELATIVE and not chosen.get("lr_max") and "lr_max" not in hyper:
        raise HyperparameterError(
            f"lr_max is missing, with decay={core.decay!r} and a learning_rate that is an array: expected a "
            "number > 0, by which the learning rate of a step is divided"
        )
    if mask is not None and not core.weight_decay and "weight_decay" not in chosen:
        raise HyperparameterError(
            "mask is given and weight_decay is 0: expected a weight_decay that it can restrict; "
            "give one, or leave the mask out"
        )
    rest = None
    fits = (
        core.clock == "global"
        and core.nesterov != "dozat"
        and not any(there for _, there in parts_of(core).values())
    )  # optax has no place
    if dialect_name.startswith("optax.") and fits:
        if decay_given is None:
            decay_given = dialect(dialect_name).defaults.get("weight_decay")  # which adamw and nadamw have
        rest = partial(states_after, lr_given, decay_given, mask is not None)
    functions = OptaxAdam(core, lr, hyper, mask, conjugate, rest, check_numerics, clip)
    result = AdamTransformation(functions.init, functions.update)
    result.functions = functions
    return result


def states_after(learning_rate: Any, weight_decay: Any, masked: bool) -> tuple[Any, ...]:
    """Return the states that optax' chain begins with after that of the moments."""
    last = optax.scale_by_learning_rate(learning_rate).init(None)
    if weight_decay is None:
        return (last,)
    decay = optax.add_decayed_weights(weight_decay).init(None)
    return optax.MaskedState(decay) if masked else decay, last


def after(schedule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return optax's schedule, which sees 0 first, as a function of our clock, which is 1 at first."""
    return lambda t: schedule(t - 1)


def real(name: str, value: Scalar) -> Scalar:
    """Return a hyperparameter as a number or as an array of JAX, the real part if it is complex.

    ``optax.inject_hyperparams`` makes every number complex if a parameter is.

    Raises:
        HyperparameterError: the imaginary part is known, and is not 0.
    """
    if isinstance(value, np.ndarray | np.generic) and value.shape == ():
        value = value.item()
    if isinstance(value, complex):
        value = jnp.asarray(value)
    if not isinstance(value, jax.Array) or not jnp.issubdtype(value.dtype, jnp.complexfloating):
        return value
    if not isinstance(value, jax.core.Tracer) and jnp.imag(value).any():
        raise HyperparameterError(f"{name}={value}: expected a real number")
    return jnp.real(value)


def check_betas(hyper: Mapping[str, jax.Array]) -> None:
    """Raise HyperparameterError if a beta is an array of 16 bits, in which 1-b has lost its digits.

    ``optax.inject_hyperparams`` makes 1 of b2=0.999 if the parameters are bfloat16.
    """
    for name in ("b1", "b2"):
        dtype = hyper[name].dtype if name in hyper else jnp.dtype("float32")
        if jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize < 4:
            near = float(np.float64(0.999).astype(dtype))
            raise HyperparameterError(
                f"{name} is an array of {dtype}, in which 0.999 is {near:.6g}: expected a number or an array "
                "of float32; give optax.inject_hyperparams a hyperparam_dtype=jnp.float32"
            )


def dtype_name(dtype: Any) -> str:
    """Return the name of a dtype as JAX has it, and of the dtype of its parts if it is complex.

    Raises:
        HyperparameterError: it is no dtype.

    >>> dtype_name(jnp.bfloat16), dtype_name("complex64")
    ('bfloat16', 'float32')
    """
    try:
        found = jax.dtypes.canonicalize_dtype(dtype)
    except TypeError as error:
        raise HyperparameterError(
            f"mu_dtype={dtype!r}: expected a dtype such as jnp.bfloat16, or its name"
        ) from error
    return str(jnp.finfo(found).dtype if jnp.issubdtype(found, jnp.complexfloating) else found)
