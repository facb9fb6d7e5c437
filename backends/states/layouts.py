"""States as flat dictionaries of arrays, with the names that each library gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.states.named import Array, Moments, NamedState, listed, whole_number
from adamcore.backends.states.powers import PADDLE, POWERS, clock_of, plain_paddle, powers_of, tf1_powers
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
    lr: str = ""  #: the name of the learning rate; "" if it is not among the arrays
    numbered: bool = False  #: if True, parameters have numbers in place of names


LAYOUTS: dict[str, Layout] = {
    "optax": Layout("optax.adam", "mu.{}", "nu.{}", "nu_max.{}", "count", "a ScaleByAdamState, flattened",
                    "corrected"),
    "keras": Layout("keras.Adam", "{}/momentum", "{}/velocity", "{}/velocity_hat", "iteration",
                    "a Keras optimizer's variables, by the paths of the model's", lr="learning_rate"),
    "tf1": Layout("tf1.Adam", "{}/Adam", "{}/Adam_1", "{}/Adam_2", "beta{}_power",
                  "a TensorFlow 1 checkpoint's variables"),
    "bert": Layout("BertAdam", "{}/adam_m", "{}/adam_v", "", "global_step",
                   "a checkpoint of BERT's programs"),
    "paddle": Layout("paddle.Adam", "{}_moment1_0", "{}_moment2_0", "{}_moment2_max_0", "{}_beta{}_pow_acc_0",
                     "a Paddle optimizer's state_dict"),
    "mlx": Layout("mlx.Adam", "{}.m", "{}.v", "", "step", "an MLX optimizer's state, flattened",
                  lr="learning_rate"),
    "tinygrad": Layout("tinygrad.Adam", "m.{}", "v.{}", "", "b{}_t", "a tinygrad optimizer's state_dict",
                       lr="lr", numbered=True),
}  # fmt: skip


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
    flat = plain_paddle(flat) if layout == "paddle" else flat
    row = dialect(dialect_name or form.dialect)
    known: dict[str, Any] = {"lr": lr_of(flat, form)} | dict(hyper or {})
    adam = row.adam(**known)
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
        adam = row.adam(**({"amsgrad": form.amsgrad} | known))
    return NamedState(adam, leaves, dialect=row.name)


def clock_of_layout(flat: Flat, layout: str, form: Layout, adam: Adam, name: str) -> int:
    """Return the clock of one parameter."""
    if layout in POWERS:
        keys = [power_key(flat, layout, form, name, k) for k in (1, 2)]
        if any(key not in flat for key in keys):
            raise CheckpointError(
                f"no {' or '.join(map(repr, keys))}: expected the running powers; or give t (--t N)"
            )
        first, second = (float(np.asarray(flat[key]).reshape(-1)[0]) for key in keys)
        if layout == "tinygrad":  # whose powers start from 1
            first, second = first * adam.b1, second * adam.b2
        return clock_of(adam, first, second, name)
    if form.clock not in flat:
        raise CheckpointError(f"no {form.clock!r}: expected the number of updates made; or give t (--t N)")
    return whole_number(flat[form.clock], form.clock)


def power_key(flat: Flat, layout: str, form: Layout, name: str, k: int) -> str:
    """Return the name of the running power of b1 (k=1) or b2 (k=2) that belongs to a parameter.

    Raises:
        CheckpointError: there are the powers of several optimizers.
    """
    if layout == "tinygrad":
        return form.clock.format(k)
    if layout != "tf1":
        return form.clock.format(name, k)
    found = tf1_powers(flat, k)
    if len(found) > 1:
        raise CheckpointError(
            f"the powers of {len(found)} optimizers are there ({listed(found)}), and not which parameter "
            "belongs to which: give t, a number or a clock for each parameter by its name (--t N)"
        )
    return found[0] if found else form.clock.format(k)


def lr_of(flat: Flat, form: Layout) -> float:
    """Return the learning rate that is among the arrays, or 0.001."""
    x = flat.get(form.lr) if form.lr else None
    return 1e-3 if x is None or np.size(x) != 1 else float(np.asarray(x).reshape(-1)[0])


def named_by(state: NamedState, names: Iterable[str] | None, by_position: bool, where: str) -> NamedState:
    """Return a state whose parameters are numbered under their names.

    Args:
        state: the state.
        names: the names in the order of the numbers.
        by_position: if True, and without names, the numbers are the names.
        where: names the file in messages.

    Raises:
        CheckpointError: there are no names, or not as many as parameters.
    """
    order = sorted(state.leaves, key=int)
    if names is None and not by_position:
        raise CheckpointError(
            f"{where} numbers its {len(order)} parameters and does not name them: give their names in the "
            "optimizer's order (names=, --names FILE), or ask for by_position=True (--by-position)"
        )
    given = order if names is None else list(names)
    if len(given) != len(order):
        raise CheckpointError(f"{len(given)} names for {len(order)} parameters: expected one for each")
    return state.renamed(dict(zip(given, order, strict=True)))


def to_flat(state: NamedState, layout: str) -> dict[str, Array]:
    """Return a state as a flat dictionary of arrays with a library's own names.

    tinygrad numbers the parameters; the numbers are those of the state's order.  Keras, MLX and tinygrad keep
    the learning rate beside the state, in float32.

    Raises:
        CheckpointError: there is no such layout.
        ConversionError: the clocks differ and the layout has one, or it has no place for AMSGrad's maximum
            or for the product of Dozat's schedule.

    Example:
        >>> state = NamedState(Adam(), {"w": Moments(3, np.zeros(2), np.ones(2))})
        >>> sorted(to_flat(state, "mlx"))
        ['learning_rate', 'step', 'w.m', 'w.v']
    """
    form = layout_of(layout)
    state.refuse_rests(layout)
    state.warn_of_own(layout)
    flat: dict[str, Array] = {}
    one = state.one_clock()
    if form.numbered:
        state = state.renamed({str(k): name for k, name in enumerate(state.leaves)})
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
    elif layout == "tinygrad":
        for k, b in enumerate((state.adam.b1, state.adam.b2), start=1):
            flat[form.clock.format(k)] = np.array([b ** (one or 0)], np.float32)
    elif layout != "paddle":
        flat[form.clock] = np.asarray(one, {"mlx": np.uint64, "bert": np.int64}.get(layout, np.int32))
    if form.lr:  # without it MLX and tinygrad do not load the rest
        flat[form.lr] = np.full((1,) if form.numbered else (), state.adam.lr, np.float32)
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
    found = [
        name
        for name, form in LAYOUTS.items()
        if has_pairs(plain_paddle(flat) if name == "paddle" else flat, form) and has_clock(flat, name, form)
    ]
    return found[0] if len(found) == 1 else None


def has_pairs(flat: Flat, form: Layout) -> bool:
    names = [name for key in flat if (name := inner(form.m, key)) is not None]
    return bool(names) and any(form.v.format(name) in flat for name in names)


def has_clock(flat: Flat, name: str, form: Layout) -> bool:
    test: Callable[[str], bool] = flat.__contains__
    if name == "tf1":
        return bool(tf1_powers(flat, 2))
    if name == "paddle":
        return any((match := PADDLE.fullmatch(key)) and match[2] == "beta2_pow_acc" for key in flat)
    if name == "tinygrad":
        return "b2_t" in flat
    return test(form.clock)


def dialect_is_needed(where: str, layout: str) -> str:
    """Return a message: a file does not tell which of a library's Adams made it."""
    rows = [name for name in DIALECTS if name.startswith(f"{layout}.")]
    return (
        f"{where} does not tell whether Adam or AdamW made it, and the result would: say so, one of "
        f"{', '.join(rows)} (dialect=, on the command line --dialect), with its hyperparameters "
        "(hyper=, --set weight_decay=...)"
    )
