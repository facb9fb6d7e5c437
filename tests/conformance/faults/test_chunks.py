"""Faults of chunks, launches and tables: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, fault

from adamcore.conformance.probes import PROBES

CASES = [
    ("OnlyFirstThousand", "first-1024-arrays", "STEP.1/many"),
    ("EmptyInLastSlot", "empty-in-36", "STEP.1/slots"),
    ("EmptyEndsLoop", "after-an-empty", "STEP.1/slots"),
    ("BatchesOfSixtyFour", "batches-of-64", "STEP.1/slots"),
    ("TableOfHandles", "first-110-arrays", "STEP.1/slots"),
    ("RestOfChunk", "rest-of-65536", "STEP.1/chunks"),
    ("RestOfPage", "rest-of-4096", "STEP.1/long"),
    ("SignedIndex", "first-32768", "STEP.1/chunks"),
    ("OneChunkOnly", "beyond 65536 elements each block gets the first block's gradient", "STEP.1/chunks"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "known", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, known: str, probe: str) -> None:
    assert_follows(adam, known, probe)


def test_small_probes_show_no_such_fault() -> None:
    for name in ("first-1024-arrays", "rest-of-65536", "batches-of-64", "empty-in-36"):
        change = fault(name).probe
        assert change is not None
        with pytest.raises(ValueError, match="too small"):
            change(PROBES["STEP.1/shapes"])
