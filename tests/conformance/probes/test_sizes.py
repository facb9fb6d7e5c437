"""The probes of sizes show what is lost where chunks, launches and tables end."""

from __future__ import annotations

import numpy as np
import pytest
from array_adam import Good, judged

from adamcore.conformance.faults.chunks import CHUNKED, CHUNKS, SLOTS, TABLES
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.scale import LONG as SHORTER
from adamcore.conformance.probes.sizes import ARRAYS, EMPTY, LONG, MANY, PERIOD
from adamcore.conformance.types import FloatArray

NAMES = ["STEP.1/chunks", "STEP.1/slots", "STEP.1/many"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_adam_passes(name: str, dtype: str) -> None:
    assert judged(Good, name, dtype)[2].status == "passed"


class FirstThousand(Good):
    """Steps the arrays that a table of 1024 has handles for."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        return super().step([g if i < 1024 else None for i, g in enumerate(grads)])


def test_the_first_array_that_is_lost_is_named() -> None:
    _, _, result = judged(FirstThousand, "STEP.1/many")
    assert result.status == "failed"
    assert result.evidence is not None
    assert result.evidence.element.startswith("1024[")


def test_of_chunks_of_every_size_another_rest_is_left_over() -> None:
    sizes = [*LONG, *SHORTER]
    rests = {chunk: tuple(n % chunk if n > chunk else 0 for n in sizes) for chunk in CHUNKS}
    assert len(set(rests.values())) == len(CHUNKS)
    assert all(any(rest) for rest in rests.values())
    assert min(LONG) > 2**14
    assert {2**15 + 1} < set(LONG)


def test_batches_of_every_size_leave_arrays_over() -> None:
    counts = [MANY, len(PROBES["STEP.1/slots"].params)]
    moved = {batch: tuple(n - n % batch if n > batch else n for n in counts) for batch in TABLES}
    assert len(set(moved.values())) == len(TABLES)
    assert all(m != tuple(counts) for m in moved.values())


def test_arrays_are_empty_where_launches_end() -> None:
    sizes = [np.size(p) for p in PROBES["STEP.1/slots"].params]
    assert [i for i, size in enumerate(sizes) if not size] == list(EMPTY)
    assert {slot - 1 for slot in SLOTS} <= set(EMPTY)


def test_neither_elements_nor_arrays_repeat_with_a_chunk() -> None:
    assert all(chunk % PERIOD for chunk in CHUNKS)
    assert all(table % ARRAYS for table in TABLES)


@pytest.mark.parametrize("known", [f for f in CHUNKED if f.name.startswith(("rest", "batches", "empty"))],
                         ids=lambda f: f.name)  # fmt: skip
def test_every_fault_of_sizes_has_a_probe_that_shows_it(known: object) -> None:
    shown = []
    for name in (*NAMES, "STEP.1/long"):
        try:
            seen = known.probe(PROBES[name])  # type: ignore[attr-defined]
        except ValueError:  # the probe is too small
            continue
        flags = [present for step in seen.steps for present in step.present or ()]
        shown.append(any(not np.all(flag) for flag in flags))
    assert any(shown)


def test_large_probes_are_in_no_quick_check() -> None:
    assert [name for name in PROBES if PROBES[name].is_large] == ["STEP.1/chunks", "STEP.1/many"]
