"""States as flat dictionaries of arrays, with the names that each library gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.states.named import Array, Moments, NamedState, listed, whole_number
from adamcore.backends.states.powers import clock_of, powers_of
from adamcore.dialects import DIALECTS, dialect
from adamcore.errors import CheckpointError, ConversionError

Flat = Mapping[str, Array]


class Layout(NamedTuple):
    """How one library names the arrays of its state."""

    dialect: str  #: the dialect, unless another is given
    m: str  #: the name of a first moment, with ``{}`` for the parameter's name
    v: str  #: the name of a second moment
    v_max: str  #: the name of AMSGrad's maximum; "" if the library has none
    clock: str  #: the name of the clock, or of a running power, with ``{}`` for 1 or 2
    about: str  #: what the arrays are
    amsgrad: str = "uncorrected"  #: of which v the maximum is kept, as the axis says it


LAYOUTS: dict[str, Layout] = {
    "optax": Layout("optax.adam", "mu.{}", "nu.{}", "nu_max.{}", "count", "a ScaleByAdamState, flattened",
                    "corrected"),
    "keras": Layout("keras.Adam", "{}/momentum", "{}/velocity", "{}/velocity_hat", "iteration",
                    "a Keras optimizer's variables, by the paths of the model's"),
    "tf1": Layout("tf1.Adam", "{}/Adam", "{}/Adam_1", "{}/Adam_2", "beta{}_power",
                  "a TensorFlow 1 checkpoint's variables"),
    "bert": Layout("BertAdam", "{}/adam_m", "{}/adam_v", "", "global_step",
                   "a checkpoint of BERT's programs"),
    "paddle": Layout("paddle.Adam", "{}_moment1_0", "{}_moment2_0", "{}_moment2_max_0", "{}_beta{}_pow_acc_0",
                     "a Paddle optimizer's state_dict"),
    "mlx": Layout("mlx.Adam", "{}.m", "{}.v", "", "step", "an MLX optimizer's state, flattened"),
}  # fmt: skip


class Request(NamedTuple):
    """What is asked of a reader, as :func:`adamcore.backends.states.foreign.read` says it."""

    kind: str | None = None
    dialect: str | None = None
    hyper: Mapping[str, Any] | None = None
    t: int | Mapping[str, int] | None = None
    needs_dialect: bool = False
    key: str | None = None

    def chosen(self, places: Iterable[str], where: str) -> str:
        """Return the one place of an optimizer, or the one that ``key`` chooses.

        Raises:
            CheckpointError: there is none, or there are several and ``key`` does not choose one.
        """
        found = list(places)
        under = [place for place in found if self.key is None or f"{place}.".startswith(f"{self.key}.")]
        if len(under) == 1:
            return under[0]
        listing = f", which has {listed(map(named_place, found), 12)}" if found else ""
        came = f"{len(found) or 'no'} states of Adam" if self.key is None else f"no one Adam at {self.key!r}"
        raise CheckpointError(
            f"{came} in {where}{listing}: expected one"
            + ("; choose it by its key (key=, on the command line --key KEY)" if found else "")
        )


def named_place(place: str) -> str:
    """Return the place of an optimizer, or words for the top."""
    return place or "the top"


def from_flat(
    flat: Flat,
    layout: str,
    *,
    dialect_name: str | None = None,
    hyper: Mapping[str, Any] | None = None,
    t: int | Mapping[str, int] | None = None,
) -> NamedState:
    """Return the state in a flat dictionary of arrays with a library's own names.

    Args:
        flat: NumPy arrays, by name.  Arrays that are no state of an Adam, such as the weights, are left
            out.
        layout: a key of :data:`LAYOUTS`.
        dialect_name: the dialect of the run, if it is not the layout's own ("mlx.AdamW").
        hyper: hyperparameters and axes of the run; a flat dictionary has none.
        t: the clock, if running powers do not tell it; or a clock for each parameter, by its name.

    Raises:
        CheckpointError: there are no moments, there is one without the other, there is no clock, or there
            are those of several optimizers.

    Example:
        >>> flat = {"w.m": np.zeros(2), "w.v": np.ones(2), "step": np.asarray(3)}
        >>> state = from_flat(flat, "mlx")
        >>> list(state.leaves), state.one_clock()
        (['w'], 3)
    """
    form = layout_of(layout)
    row = dialect(dialect_name or form.dialect)
    adam = row.adam(**({"lr": 1e-3} | dict(hyper or {})))
    names = [name for key in flat if (name := inner(form.m, key)) is not None and form.m.format(name) == key]
    if not names:
        raise CheckpointError(
            f"no state of Adam as {layout} names it: expected arrays such as {form.m.format('NAME')!r}; "
            f"there are {listed(flat)}"
        )
    leaves = {}
    for name in names:
        if form.v.format(name) not in flat:
            raise CheckpointError(f"{form.m.format(name)!r} is there and {form.v.format(name)!r} is not")
        v_max = flat.get(form.v_max.format(name)) if form.v_max else None
        if layout == "tf1" and f"{name}/Adam_3" in flat:
            raise CheckpointError(
                f"{name} has the moments of two optimizers ({name}/Adam, ..., {name}/Adam_3): expected those "
                "of one; leave out the others"
            )
        if isinstance(t, Mapping):
            if name not in t:
                raise CheckpointError(f"t has no clock for {name!r}: expected one for each parameter")
            clock = t[name]
        else:
            clock = t if t is not None else clock_of_layout(flat, layout, form, adam, name)
        leaves[name] = Moments(clock, flat[form.m.format(name)], flat[form.v.format(name)], v_max)
    has_max = {leaf.v_max is not None for leaf in leaves.values()}
    if len(has_max) > 1:
        raise CheckpointError("some parameters have a maximum of v and others don't: expected all or none")
    if has_max == {True} and adam.amsgrad == "none":
        adam = row.adam(**({"lr": 1e-3, "amsgrad": form.amsgrad} | dict(hyper or {})))
    return NamedState(adam, leaves, dialect=row.name)


def clock_of_layout(flat: Flat, layout: str, form: Layout, adam: Adam, name: str) -> int:
    """Return the clock of one parameter."""
    if layout in ("tf1", "paddle"):
        keys = [power_key(flat, layout, form, name, k) for k in (1, 2)]
        if any(key not in flat for key in keys):
            raise CheckpointError(
                f"no {' or '.join(map(repr, keys))}: expected the running powers; or give t (--t N)"
            )
        first, second = (float(np.asarray(flat[key]).reshape(-1)[0]) for key in keys)
        return clock_of(adam, first, second, name)
    if form.clock not in flat:
        raise CheckpointError(f"no {form.clock!r}: expected the number of updates made; or give t (--t N)")
    return whole_number(flat[form.clock], form.clock)


def power_key(flat: Flat, layout: str, form: Layout, name: str, k: int) -> str:
    """Return the name of the running power of b1 (k=1) or b2 (k=2) that belongs to a parameter.

    Raises:
        CheckpointError: there are the powers of several optimizers.
    """
    if layout != "tf1":
        return form.clock.format(name, k)
    found = tf1_powers(flat, k)
    if len(found) > 1:
        raise CheckpointError(
            f"the powers of {len(found)} optimizers are there ({listed(found)}), and not which parameter "
            "belongs to which: give t, a number or a clock for each parameter by its name (--t N)"
        )
    return found[0] if found else form.clock.format(k)


def tf1_powers(flat: Flat, k: int) -> list[str]:
    """Return the names of all running powers of b1 (k=1) or b2 (k=2) of TensorFlow 1, in any scope.

    >>> tf1_powers({"beta1_power": np.zeros(()), "gan/beta1_power_1": np.zeros(())}, 1)
    ['beta1_power', 'gan/beta1_power_1']
    """
    return [key for key in flat if re.fullmatch(rf"(.*/)?beta{k}_power(_\d+)?", key)]


def to_flat(state: NamedState, layout: str) -> dict[str, Array]:
    """Return a state as a flat dictionary of arrays with a library's own names.

    Raises:
        CheckpointError: there is no such layout.
        ConversionError: the clocks differ and the layout has one, or it has no place for AMSGrad's maximum
            or for the product of Dozat's schedule.

    Example:
        >>> state = NamedState(Adam(), {"w": Moments(3, np.zeros(2), np.ones(2))})
        >>> sorted(to_flat(state, "mlx"))
        ['step', 'w.m', 'w.v']
    """
    form = layout_of(layout)
    flat: dict[str, Array] = {}
    one = state.one_clock()
    if one is None and layout != "paddle":
        raise ConversionError(
            f"the clocks differ and {layout} keeps one: choose it first (fit(..., clock='max'), --clock)"
        )
    for name, leaf in state.leaves.items():
        if leaf.mu_product is not None:
            raise ConversionError(
                f"{layout} has no place for the product of Dozat's schedule: choose another form"
            )
        flat[form.m.format(name)], flat[form.v.format(name)] = leaf.m, leaf.v
        if leaf.v_max is not None:
            if not form.v_max:
                raise ConversionError(
                    f"{layout} has no place for AMSGrad's maximum: fit the state to one without it"
                )
            if state.adam.amsgrad != form.amsgrad:
                raise ConversionError(
                    f"the maximum is that of AMSGrad {state.adam.amsgrad!r}, and {layout} keeps the "
                    f"{form.amsgrad!r} one: fit the state to it first (--as NAME --accept amsgrad)"
                )
            flat[form.v_max.format(name)] = leaf.v_max
        if layout == "paddle":
            for k, power in enumerate(powers_of(state.adam, leaf.t), start=1):
                flat[form.clock.format(name, k)] = np.array([power], np.float32)
    if layout == "tf1":
        for k, power in enumerate(powers_of(state.adam, one or 0), start=1):
            flat[form.clock.format(k)] = np.asarray(power, np.float32)
    elif layout != "paddle":
        flat[form.clock] = np.asarray(one, {"mlx": np.uint64, "bert": np.int64}.get(layout, np.int32))
    return flat


def layout_of(name: str) -> Layout:
    """Return the layout of this name.

    Raises:
        CheckpointError: there is none.
    """
    if name not in LAYOUTS:
        raise CheckpointError(f"no layout {name!r}: expected one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def inner(pattern: str, key: str) -> str | None:
    """Return the text in place of ``{}`` in a key, or None if the key does not match the pattern.

    >>> inner("{}/Adam", "dense/kernel/Adam")
    'dense/kernel'
    """
    before, _, after = pattern.partition("{}")
    found = re.fullmatch(re.escape(before) + "(.+)" + re.escape(after), key)
    return found[1] if found else None


def detect_layout(flat: Flat) -> str | None:
    """Return the one layout that has these names, or None."""
    found = [name for name, form in LAYOUTS.items() if has_pairs(flat, form) and has_clock(flat, name, form)]
    return found[0] if len(found) == 1 else None


def has_pairs(flat: Flat, form: Layout) -> bool:
    names = [name for key in flat if (name := inner(form.m, key)) is not None]
    return bool(names) and any(form.v.format(name) in flat for name in names)


def has_clock(flat: Flat, name: str, form: Layout) -> bool:
    test: Callable[[str], bool] = flat.__contains__
    if name == "tf1":
        return bool(tf1_powers(flat, 2))
    if name == "paddle":
        return any(key.endswith("_beta2_pow_acc_0") for key in flat)
    return test(form.clock)


def dialect_is_needed(where: str, layout: str) -> str:
    """Return a message: a file does not tell which of a library's Adams made it."""
    rows = [name for name in DIALECTS if name.startswith(f"{layout}.")]
    return (
        f"{where} does not tell whether Adam or AdamW made it, and the result would: say so, one of "
        f"{', '.join(rows)} (dialect=, on the command line --dialect), with its hyperparameters "
        "(hyper=, --set weight_decay=...)"
    )
