"""What a caller asks of a reader: which of several optimizers."""

from __future__ import annotations

import pytest

from adamcore.backends.checkpoints.request import Request
from adamcore.errors import CheckpointError


def test_the_one_that_is_meant() -> None:
    assert Request().chosen(["opt"], "F") == "opt"
    assert Request(key="b").chosen(["a", "b.0"], "F") == "b.0"
    assert Request(key="b.0").chosen(["b", "b.0"], "F") == "b.0"


@pytest.mark.parametrize(
    ("key", "places", "said"),
    [
        (
            None,
            ["a", ""],
            "2 states of Adam in F, which has 'a', 'the top': expected one; choose it by its key",
        ),
        (None, [], "no states of Adam in F: expected one"),
        ("b", ["bc", "a"], "no one Adam at 'b' in F, which has 'bc', 'a'"),
        (None, [str(k) for k in range(20)], "'11' and 8 more"),
    ],
)
def test_none_or_several(key: str | None, places: list[str], said: str) -> None:
    with pytest.raises(CheckpointError) as error:
        Request(key=key).chosen(places, "F")
    assert said in str(error.value)
