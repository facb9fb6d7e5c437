"""docs/jax.md: its table of what optax takes says what is so."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from docs_pages import assert_every_kind, lost_links, rows_of
from paths import ROOT

from adamcore.backends import jax as ours
from adamcore.errors import AdamcoreError

PAGE = ROOT / "docs" / "jax.md"
ROWS = rows_of(PAGE)
NAMES = ("adam", "adamw", "amsgrad", "nadam", "nadamw")


def tried(library: Any, line: str) -> list[Any] | Exception:
    """The parameters after a step, the line and three steps, and what the line has kept; or the error."""
    names: dict[str, Any] = {"jax": jax, "jnp": jnp, "np": np, "optax": optax}
    names |= {name: getattr(library, name) for name in NAMES}
    names["z"] = jnp.asarray([1 + 2j, -0.5 + 0.25j], jnp.complex64)
    names["params"] = {"w": jnp.asarray([1.0, -2.0, 3.0]), "b": jnp.asarray([0.5])}
    names["grads"] = {"w": jnp.asarray([0.3, 0.7, -0.1]), "b": jnp.asarray([-1.0])}
    first = names["tx"] = library.adam(1e-2)
    try:
        names["state"] = step(names | {"state": first.init(names["params"])})["state"]
        exec(line, names)
        if names["tx"] is not first:
            names["state"] = names["tx"].init(names["params"])
        for _ in range(3):
            names |= step(names)
    except Exception as error:
        return error
    return [*jax.tree.leaves(names["params"]), *([names["kept"]] if "kept" in names else [])]


def step(names: dict[str, Any]) -> dict[str, Any]:
    updates, state = names["tx"].update(names["grads"], names["state"], names["params"])
    return {"state": state, "params": optax.apply_updates(names["params"], updates)}


def test_the_table_has_every_kind_of_row() -> None:
    assert_every_kind(ROWS)
    assert len(ROWS) >= 40


@pytest.mark.slow
@pytest.mark.parametrize(("line", "here", "why"), ROWS, ids=[line for line, _, _ in ROWS])
def test_what_optax_takes_is_taken_as_the_table_says(line: str, here: str, why: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX's, of arrays that optax makes of other dtypes
        theirs, found = tried(optax, line), tried(ours, line)
    if isinstance(theirs, Exception):
        assert here == ("same" if isinstance(found, Exception) else "more"), (theirs, found)
    elif isinstance(found, Exception):
        assert here == "refused", found
        assert isinstance(found, AdamcoreError)
    else:
        pairs = zip(theirs, found, strict=True)
        close = [np.allclose(np.asarray(x), np.asarray(y), rtol=2e-5, atol=2e-6) for x, y in pairs]
        assert here == ("same" if all(close) else "otherwise"), (theirs, found)


def test_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []
