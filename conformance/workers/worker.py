"""One candidate in one process: ``python -m adamcore.conformance.workers.worker``.

The job comes as one JSON object on standard input; each finished probe goes out at once as one
JSON line.  The lines go to a private duplicate of standard output, and standard output itself is
pointed at standard error, so that whatever a candidate prints cannot break the protocol.

Job: ``{"target", "dtype", "device", "settings", "timeout", "claims": [fields of Adam or null],
"probes": [...], "tasks": [[claim, probe], ...]}``.

Lines: first ``{"ready": {...}}``, or one of ``{"usage": why}``, ``{"unavailable": why}`` and
``{"broken": why}``, and nothing more; then ``{"task": number, "run": {...}}`` for each task, in
order; last ``{"end": true}``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any, TextIO

from adamcore import Adam
from adamcore.conformance.candidates import Candidate, Refusal, load_candidates
from adamcore.conformance.candidates.base import describe
from adamcore.conformance.errors import CandidateError, SettingError, UnavailableError
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.wire import pack_run, unpack_probe


def main() -> None:
    """Read the job, run it, write the lines."""
    job = json.loads(sys.stdin.buffer.read())
    lines = private_output()
    try:
        run_tasks(job, lines)
    except SettingError as error:
        write_line(lines, {"usage": str(error)})
    except UnavailableError as error:
        write_line(lines, {"unavailable": str(error)})
    except CandidateError as error:
        write_line(lines, {"broken": str(error)})


def private_output() -> TextIO:
    """A stream to our real standard output, which candidates cannot reach by its number."""
    sys.stdout.flush()
    lines = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    with open(os.devnull, encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)
    return lines


def write_line(lines: TextIO, message: dict[str, Any]) -> None:
    lines.write(json.dumps(message) + "\n")
    lines.flush()


def run_tasks(job: dict[str, Any], lines: TextIO) -> None:
    """Load the candidate and run every task of the job."""
    claims = [None if fields is None else Adam(**fields) for fields in job["claims"]]
    candidates = load_candidates(job["target"], claims, job["settings"], job["device"], job["timeout"])
    probes = [unpack_probe(packed) for packed in job["probes"]]
    write_line(lines, {"ready": dataclasses.asdict(candidates[0].info)})

    refusals = []
    for number, (claim, index) in enumerate(job["tasks"]):
        run, refusal = try_probe(candidates[claim], probes[index], job["dtype"])
        refusals.append(refusal)
        write_line(lines, {"task": number, "run": pack_run(run)})
    if refusals and all(refusals):
        raise CandidateError(f"it could not be constructed for any probe: {refusals[0]}")
    close = getattr(candidates[0], "close", None)
    if close is not None:
        close()
    write_line(lines, {"end": True})


def try_probe(candidate: Candidate, probe: Probe, dtype: str) -> tuple[Run, str | None]:
    """The run, and the refusal if the candidate would not take the probe.

    A constructor that raises ValueError or NotImplementedError says that it does not take these
    inputs: the probe is skipped, and counted.  Anything else it raises is an error of its step 1.
    """
    try:
        return candidate.run(probe, dtype), None
    except Refusal as refusal:
        cause = refusal.__cause__
        reason = f"its constructor raised {refusal}"
        if isinstance(cause, (ValueError, NotImplementedError)):
            return Run(unsupported=reason), reason
        return Run(error=reason), reason
    except CandidateError:
        raise  # not a fault in a step, but of the candidate: nothing more can be asked of it
    except Exception as error:  # of the adapter itself
        return Run(error=describe(error)), None


if __name__ == "__main__":
    main()
