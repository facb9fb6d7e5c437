"""The inputs: every choice of the arithmetic, in every dtype."""

from __future__ import annotations

from vector_files import INDEX, content

from adamcore import AXES
from adamcore.conformance.vectors import inputs
from adamcore.conformance.vectors.answers import claim_of_json
from adamcore.conformance.verdict.identify import NUMERIC


def test_every_choice_of_the_arithmetic_is_in_it() -> None:
    claims = [claim_of_json(content(name)["axes"]) for name in INDEX["files"]]
    untold = {("epsilon", "inside-corrected"), ("bias_correction", "first"), ("bias_correction", "second")}
    for axis in NUMERIC:
        missing = {(axis, v) for v in AXES[axis]} - {(axis, getattr(a, axis)) for a in claims}
        assert missing <= untold


def test_every_input_is_answered_in_every_dtype_but_for_known_gaps() -> None:
    """Dtypes that cannot decide an input have no vector of it: these, and no more."""
    gaps = {
        f"{item.probe.name}/{dtype}"
        for item in inputs.INPUTS
        for dtype in inputs.DTYPES
        if not any(v["id"] == f"{item.probe.name}/{dtype}" for v in content("torch.AdamW.json")["vectors"])
    }
    assert gaps == {"MOM.1/defaults/bfloat16", "MOM.1/defaults/float16"}
