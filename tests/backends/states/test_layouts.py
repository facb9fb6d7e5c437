"""Flat dictionaries of arrays, named as each library names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from state_samples import made, same

from adamcore.backends import states
from adamcore.backends.states.foreign import read, write
from adamcore.conformance.cli import main
from adamcore.errors import ConversionError


@pytest.mark.parametrize("layout", states.LAYOUTS)
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_layouts_there_and_back(layout: str, ending: str, tmp_path: Path) -> None:
    state = made()
    path = tmp_path / f"s.{ending}"
    write(state, path, layout)
    same(read(path, hyper={"b1": 0.9, "b2": 0.999}), state)
    assert main(["convert", str(path), str(tmp_path / "t"), "--set", "b2=0.999"]) == 0
    same(states.load(tmp_path / "t"), state)


def test_paddle_keeps_a_clock_for_each() -> None:
    uneven = made(ts=(3, 900))
    same(states.from_flat(states.to_flat(uneven, "paddle"), "paddle"), uneven)
    for layout in set(states.LAYOUTS) - {"paddle"}:
        with pytest.raises(ConversionError, match="clocks differ"):
            states.to_flat(uneven, layout)
