"""Files that the frameworks themselves made (tests/data/states): read, compared, and gone on from."""

from __future__ import annotations

import importlib.util
import json
import warnings
from typing import Any

import numpy as np
import pytest
from paths import ROOT

from adamcore.backends import states
from adamcore.backends.states.foreign import read
from adamcore.errors import AdamcoreError

FILES = ROOT / "tests" / "data" / "states"


def entries() -> list[Any]:
    """Return the entries of all manifests."""
    found = []
    for manifest in sorted(FILES.rglob("manifest.json")):
        about = json.loads(manifest.read_text(encoding="utf-8"))
        for number, entry in enumerate(about["entries"]):
            where = f"{manifest.parent.relative_to(FILES)}/{entry['file']}"
            found.append(pytest.param(where, about["needs"], entry, id=f"{where}-{number}"))
    return found


@pytest.mark.parametrize(("where", "needs", "entry"), entries())
def test_a_file_is_read_as_the_framework_reads_it(where: str, needs: list[str], entry: Any) -> None:
    for module in needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    if "refused" in entry:
        with pytest.raises(AdamcoreError) as error:
            read(FILES / where, **entry["read"])
        assert entry["refused"] in str(error.value)
        return
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        state = read(FILES / where, **entry["read"])
    said = " ".join(str(w.message) for w in heard)
    assert entry["warns"] in said if "warns" in entry else not said
    assert set(state.leaves) == set(entry["leaves"])
    for name, expected in entry["leaves"].items():
        leaf = state.leaves[name]
        assert leaf.t == expected["t"]
        for part in ("m", "v", "v_max"):
            x = getattr(leaf, part)
            assert (x is None) == (part not in expected), (name, part)
            if x is not None:
                assert x.dtype.name == entry.get("dtypes", {}).get(part, "float32"), (name, part)
                assert np.array_equal(x.astype(np.float64), np.asarray(expected[part])), (name, part)
    assert state.dialect == entry.get("dialect", state.dialect)
    for field, value in entry.get("adam", {}).items():
        assert getattr(state.adam, field) == value, field
    assert state.special == entry.get("special", {})
    if "next" in entry:
        goes_on(state, entry["next"])


def goes_on(state: states.NamedState, step: Any) -> None:
    """Compare our next step with the framework's.

    Parameters are of size 1, and the step of size lr = 0.05.  Each has some ten roundings in float32, the
    coefficients among them, which the framework may do in another order.
    """
    params, grads, after = (
        {name: np.asarray(x, np.float32) for name, x in step[part].items()}
        for part in ("params", "grads", "after")
    )
    moved, _ = state.adam.step(params, grads, states.to_adam(state, state.adam, params))
    for name, p in after.items():
        assert np.abs(moved[name] - p).max() <= 2.0**-23 + 10 * 2.0**-24 * 0.05, name


def test_there_are_files_and_they_are_small() -> None:
    found = [path for path in FILES.rglob("*") if path.is_file() and not path.suffix.startswith(".py")]
    assert any(path.name == "manifest.json" for path in found)
    assert sum(path.stat().st_size for path in found) < 300_000
