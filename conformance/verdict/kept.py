"""In which dtype moments are kept between two steps (MOM.4)."""

from __future__ import annotations

from adamcore import Adam
from adamcore.conformance.types import Run
from adamcore.dtypes import named_by

UNSEEN = "its moments cannot be seen"


def kept_problem(adam: Adam, run: Run, dtype: str) -> str:
    """Return which moment is kept in another dtype than the one that MOM.4 asks for, or nothing.

    Args:
        adam: the claim; a dtype that it names is asked for in place of the parameter's.
        run: what the candidate did, with the moments of each step.
        dtype: the dtype of the parameters.
    """
    for s, after in enumerate(run.moments, start=1):
        for i, kept in enumerate(after):
            for name in ("m", "v") if kept is not None else ():
                asked = named_by(adam, f"{name}_dtype")[1] or dtype
                got = getattr(kept, name).dtype
                if got.kind == "f" and got.name != asked:
                    return f"{name} of parameter {i} is kept in {got} after step {s}, expected {asked}"
    return ""
