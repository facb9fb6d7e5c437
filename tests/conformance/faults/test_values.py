"""Faults of zero, tiny, non-finite and complex gradients: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("NanReplaced", "nan-zeroed", "NF.1/nan"),
    ("NanUpdateDropped", "nan-step-dropped", "NF.1/nan"),
    ("NanMomentsZeroed", "nan-moments-zeroed", "NF.1/nan"),
    ("NanSkipsArray", "nan-skips-tensor", "NF.1/nan"),
    ("NanSkipsStep", "nan-skips-step", "NF.1/nan"),
    ("NanSpreadsInArray", "nan-spreads", "NF.1/nan"),
    ("NanSpreadsToAll", "nan-spreads-to-all", "NF.1/nan"),
    ("NanRestoresElement", "nan-restored", "NF.1/nan"),
    ("ZeroElementsSkipped", "zeros-skipped", "F2/zero-element"),
    ("ZeroElementsNoMomentum", "zeros-no-momentum", "F2/zero-gradient"),
    ("ZeroElementsKeepMoments", "zeros-keep-moments", "F2/zero-gradient"),
    ("ZeroElementsNoDecay", "zeros-no-decay", "F2/zero-gradient"),
    ("ComplexConjugated", "conjugated", "CPX.1/complex"),
    ("ComplexImaginaryLost", "imaginary-lost", "CPX.1/complex"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("ZeroElementsNoMomentum") == (
        True,
        "elements with a zero gradient are not moved by their momentum",
    )
