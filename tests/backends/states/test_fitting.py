"""A state for another Adam: exactly, or by an explicit choice, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from narrow_arrays import NARROW, narrow_array
from state_samples import made

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states import Moments, NamedState
from adamcore.backends.states.fitting import refuse_rounded
from adamcore.errors import ConversionError


def test_what_is_not_exact_is_refused_by_name() -> None:
    torch_adamw = Adam.like("torch.AdamW", lr=0.1)
    for target, names in (
        (Adam.like("optax.adamw", lr=0.1, weight_decay=0.01), ()),
        (Adam.like("keras.AdamW", lr=0.1, weight_decay=0.01, eps=1e-8), ("epsilon",)),
        (Adam.like("torch.Adam", weight_decay=0.01), ("decay",)),
        (Adam.like("torch.AdamW", amsgrad="uncorrected"), ("amsgrad",)),
        (Adam.like("mlx.AdamW", lr=0.1), ("bias_correction",)),
        (Adam.like("transformers4.AdamW", eps=1e-8, weight_decay=0.01), ("epsilon", "decay_order")),
        (Adam.like("torch.AdamW", b2=0.99), ("b2",)),
    ):
        state = made(torch_adamw)
        if names:
            with pytest.raises(ConversionError, match="can't be taken over exactly") as raised:
                states.fit(state, target)
            assert all(f"  {name}: " in str(raised.value) for name in names)
            assert str(raised.value).count(" -> ") == len(names)
        fitted = states.fit(state, target, accept=names)
        assert fitted.adam.clock == target.clock
        assert (fitted.leaves["b"].v_max is not None) == (target.amsgrad != "none")
    maxima = NamedState(Adam(amsgrad="uncorrected"), {"w": Moments(3, np.ones(1), np.ones(1), np.ones(1))})
    with pytest.raises(ConversionError, match="amsgrad"):
        states.fit(maxima, Adam.like("optax.amsgrad", lr=0.1))
    with pytest.raises(ConversionError, match="accept='eps-hat'"):
        states.fit(made(), Adam(), accept=["eps-hat"])


def test_moot_differences_are_none() -> None:
    state = made(Adam())
    for target in (
        Adam(decay="decoupled"),
        Adam(decay_order="after"),
        Adam(momentum_decay=0.5),
        Adam(complex="modulus"),
    ):
        states.fit(state, target)
    turned = made(Adam(), dtype="complex64")
    with pytest.raises(ConversionError, match="complex"):
        states.fit(turned, Adam(complex="modulus"), accept=["complex"])


def test_clocks_into_one() -> None:
    uneven = made(ts=(3, 9))
    target = Adam(clock="global")
    with pytest.raises(ConversionError, match="from 3 to 9"):
        states.fit(uneven, target)
    for choice, t in (("max", 9), ("min", 3), (5, 5)):
        assert states.fit(uneven, target, clock=choice).one_clock() == t  # type: ignore[arg-type]
    assert states.fit(made(Adam(clock="global")), Adam()).one_clock() == 7


def test_dozat_product_is_formed_from_the_clock() -> None:
    opt = Adam(nesterov="dozat")
    x = np.ones(2)
    state = opt.init({"w": x})
    for _ in range(5):
        x2, state = opt.step({"w": x}, {"w": x}, state)
    plain = NamedState(Adam(), {"w": Moments(5, x, x)})
    fitted = states.fit(plain, opt, accept=["nesterov", "momentum_decay"])
    assert fitted.leaves["w"].mu_product == pytest.approx(float(state.mu_product["w"]), rel=1e-15)
    assert x2["w"].shape == (2,)


@pytest.mark.parametrize(("library", "dtype"), NARROW)
def test_another_dtype_is_taken_if_it_holds_the_values(library: str, dtype: str) -> None:
    for values in ([0.25, 0.0], [np.nan, np.inf]):
        refuse_rounded(np.array(values), narrow_array(library, values, dtype), "v of w")
    with pytest.raises(ConversionError, match=f"v of w is float64 in the state and {dtype} where it goes"):
        refuse_rounded(np.array([0.1, 0.0]), narrow_array(library, [0.1, 0.0], dtype), "v of w")


def test_complex_moments() -> None:
    refuse_rounded(np.array([0.5j]), np.array([0.5j], dtype=np.complex64), "m of w")
    with pytest.raises(ConversionError, match="complex64"):
        refuse_rounded(np.array([0.1j]), np.array([0.1j], dtype=np.complex64), "m of w")
