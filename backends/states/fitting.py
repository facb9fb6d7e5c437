"""A state for another Adam: taken over exactly, or by an explicit choice, or refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from adamcore.adam import Adam
from adamcore.axes import RELATIVE
from adamcore.backends.states.named import Moments, NamedState, numpy_of, product_of
from adamcore.coefficients import Host
from adamcore.errors import ConversionError

AXES = (
    "epsilon", "bias_correction", "decay", "decay_order", "cautious_decay", "amsgrad", "nesterov", "maximize",
    "complex", "p_storage",
)  # fmt: skip
NUMBERS = ("b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay", "lr_max")

#: By axis, what an accepted difference means for the state.
MEANING = {
    "epsilon": "the moments are the same, the next steps are not: sqrt(1-b2**t) apart in epsilon",
    "bias_correction": "the moments are the same, the next steps are not",
    "decay": "the moments are not what the other rule would have made of the same gradients",
    "decay_order": "the moments are the same, the next steps differ by lr*weight_decay times the update",
    "cautious_decay": "the moments are the same, the next steps differ where one of the two does not decay",
    "amsgrad": "no maximum of the other kind was kept: it starts anew from the present v, or is dropped",
    "nesterov": "the moments are the same, the next steps are not; a schedule's product is formed from t",
    "maximize": "the moments are those of gradients of the other sign",
    "complex": "v of the modulus is not v of the parts: there is no other, and nothing can be made of it",
    "p_storage": "what the state keeps of parameters, if any, is dropped: they go on from their own 16 bits",
}


def differences(old: Adam, new: Adam, *, has_complex: bool = False) -> list[str]:
    """Return the axes and the hyperparameters in which two Adams differ, except those without effect.

    Without weight decay, for example, the axis ``decay`` has no effect.

    >>> differences(Adam(), Adam(decay="decoupled", epsilon="outside-uncorrected"))
    ['epsilon']
    """
    moot = {"complex"} if not has_complex else set()
    if not (old.weight_decay or new.weight_decay):
        moot |= {"decay", "decay_order", "cautious_decay", "weight_decay"}
    if old.decay == new.decay == "l2":
        moot |= {"decay_order", "cautious_decay"}
    if not (old.eps or old.eps_root or new.eps or new.eps_root) or (
        old.bias_correction in ("first", "none") and old.bias_correction == new.bias_correction
    ):
        same_side = old.epsilon.partition("-")[0] == new.epsilon.partition("-")[0]
        moot |= {"epsilon"} if same_side or not (old.eps or new.eps) else set()
    if old.p_storage == "plain":  # then the parameters are all that there is of themselves
        moot.add("p_storage")
    if "dozat" not in (old.nesterov, new.nesterov):
        moot.add("momentum_decay")
    if "decay" in moot or not {old.decay, new.decay} <= set(RELATIVE):
        moot.add("lr_max")
    return [
        name for name in (*AXES, *NUMBERS) if name not in moot and getattr(old, name) != getattr(new, name)
    ]


def fit(
    state: NamedState,
    adam: Adam,
    *,
    accept: Collection[str] = (),
    clock: int | Literal["max", "min"] | None = None,
) -> NamedState:
    """Return the state for another Adam.

    Args:
        state: a state of any dialect.
        adam: the Adam that continues.  Its ``lr`` is not used: the result keeps that of the state.
        accept: the names of axes and hyperparameters that may differ.  :data:`MEANING` says what each
            difference means for the state.
        clock: if clocks differ and ``adam`` has one for all: that clock, a number, "max" or "min".

    Raises:
        ConversionError: a difference is not accepted, clocks differ and ``clock`` is not given, or the
            conversion has no meaning.

    Example:
        >>> old = NamedState(Adam(), {"w": Moments(3, np.zeros(2), np.ones(2))})
        >>> fit(old, Adam(epsilon="outside-uncorrected"), accept=["epsilon"]).adam.epsilon
        'outside-uncorrected'
    """
    has_complex = any(np.iscomplexobj(leaf.m) for leaf in state.leaves.values())
    olds = dict.fromkeys([state.adam, *map(state.adam_of, state.leaves)])
    found: dict[str, Adam] = {}  # by the name of a difference, an Adam of the state that has it
    for old in olds:
        own = {k: getattr(old, k) for k in NUMBERS if getattr(old, k) != getattr(state.adam, k)}
        for name in differences(old, replace(adam, **own), has_complex=has_complex):
            found.setdefault(name, old)
    unknown = [name for name in accept if name not in (*AXES, *NUMBERS)]
    if unknown:
        raise ConversionError(f"accept={unknown[0]!r}: expected names among {', '.join((*AXES, *NUMBERS))}")
    refused = [name for name in found if name not in accept or name == "complex"]
    if refused:
        said = "\n".join(
            f"  {name}: {getattr(found[name], name)!r} -> {getattr(adam, name)!r}"
            + (f" ({MEANING[name]})" if name in MEANING else "")
            for name in refused
        )
        raise ConversionError(
            f"the state can't be taken over exactly:\n{said}\naccept them by name if that is what you want "
            f"(accept={refused!r}, on the command line --accept {','.join(refused)}), or choose a target "
            "that agrees"
        )
    leaves = dict(state.leaves)
    if adam.clock == "global":
        t = state.one_clock() if clock is None or isinstance(clock, str) else clock
        if t is None:
            clocks = sorted({leaf.t for leaf in leaves.values()})
            if clock is None:
                raise ConversionError(
                    f"the clocks differ (from {clocks[0]} to {clocks[-1]}), and clock='global' means one "
                    "for all: expected equal ones; choose clock='max', 'min' or a number (the bias "
                    "correction of the others is then wrong), or a target with clock='per-parameter'"
                )
            t = clocks[-1] if clock == "max" else clocks[0]
        leaves = {name: replace(leaf, t=t) for name, leaf in leaves.items()}
    leaves = {name: refill(leaf, state.adam_of(name), adam) for name, leaf in leaves.items()}
    special = {
        name: kept
        for name, each in state.special.items()
        if (kept := {k: x for k, x in each.items() if k not in AXES})
    }
    return replace(state, adam=replace(adam, lr=state.adam.lr), leaves=leaves, special=special)


def refill(leaf: Moments, old: Adam, new: Adam) -> Moments:
    """Return one parameter's state with what ``new`` keeps of maximum, product and rest, and no others."""
    v_max, mu = leaf.v_max, leaf.mu_product
    rest = leaf.p_rest if new.p_storage == old.p_storage else None
    if new.amsgrad == "none":
        v_max = None
    elif v_max is None or old.amsgrad != new.amsgrad:
        v_max = leaf.v
        if new.amsgrad == "corrected" and new.bias_correction in ("both", "second") and leaf.t:
            v_max = (leaf.v / Host().complement_power(new.b2, leaf.t)).astype(leaf.v.dtype)
    if new.nesterov != "dozat":
        mu = None
    elif mu is None or old.nesterov != "dozat":
        mu = product_of(new, leaf.t)
    policies = {"m": new.m_storage, "v": new.v_storage, "v_max": new.v_storage}
    coded = {name: x for name, x in leaf.coded.items() if x.policy == policies[name]}
    if v_max is not leaf.v_max:
        coded.pop("v_max", None)
    return replace(leaf, v_max=v_max, mu_product=mu, p_rest=rest, coded=coded)


def refuse_rounded(value: np.ndarray, new: Any, what: str) -> None:
    """Raise ConversionError if an array of any library is not equal to what it was made of.

    Args:
        value: the moment in the state.
        new: the array that it became.
        what: the moment's name in the message.

    >>> refuse_rounded(np.ones(2), np.ones(2, dtype=np.float16), "v of w")
    """
    kept = numpy_of(new)
    wide = np.complex128 if np.iscomplexobj(kept) else np.float64
    if not np.array_equal(value.astype(wide), kept.astype(wide), equal_nan=True):
        raise ConversionError(
            f"{what} is {value.dtype} in the state and {kept.dtype} where it goes, which does not hold it: a "
            "second moment that becomes 0 makes a huge step; keep the moments wide (moment_dtype='float32', "
            "optax' mu_dtype), or say narrow=True"
        )
