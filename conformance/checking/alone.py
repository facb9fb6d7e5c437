"""A failed run made once more, in a process in which nothing ran before.

What optimizers share in a process, such as a program that was compiled for the first of them, makes a run
depend on those before it.  Then the hyperparameters of the first run seem to be built in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adamcore.conformance.checking.meetings import Running, plainest_failure, results_of
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding

if TYPE_CHECKING:
    from adamcore.conformance.checking.third_party import ThirdParty


def blame_runs_before(subject: ThirdParty, run: Running) -> Finding | None:
    """Return the finding that a candidate is right in a process of its own; None if it is wrong there too.

    The first run of a check had a process of its own already.

    Args:
        subject: a candidate that failed a probe.
        run: runs a job in a new process and yields its events.
    """
    found = plainest_failure(subject)
    if found is None or subject.claim is None or subject.info is None:
        return None
    result, probe = found
    runs = [r for r in subject.results if r.dtype == result.dtype]
    if not any(r.status == "passed" for r in runs[: runs.index(result)]):
        return None
    [alone] = results_of(subject, run, [probe], result.dtype)
    if alone.status != "passed":
        return None
    observed = f"a run is as claimed in a process of its own, and not after other runs ({probe.name})"
    return Finding("isolation", "STATE.3", SAYS["STATE.3"], observed, evidence=result.evidence)
