"""The program of a worker: ``python -m adamcore.conformance.workers.worker``.

It reads its jobs as a JSON list from standard input, and writes a JSON line for each probe as soon as
the probe is done.  The jobs differ in their dtype and their tasks alone.  The lines go to a private
duplicate of standard output.  Standard output itself is redirected to standard error, so that a candidate
can print without breaking the protocol.

Job: ``{"target", "dtype", "device", "settings", "required", "ranks": [fields of Ranks] or null, "shares",
"timeout", "parent", "claims": [fields of Adam or null], "probes": [...], "tasks": [[claim, probe], ...]}``.

Lines: first ``{"ready": {...}, "alone": bool}``, or one of ``{"usage": why}``, ``{"unavailable": why}`` and
``{"broken": why}``, and nothing more; then ``{"task": number, "run": {...}}`` for each task, in
order; last ``{"end": true}``.  Before a further job it writes ``{"next": true}``.  If the candidate has
loaded JAX it ends instead.  "alone" says so as early as it is known.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from adamcore import Adam
from adamcore.conformance.candidates import Candidate, Refusal, load_candidates
from adamcore.conformance.candidates.adapter.base import describe
from adamcore.conformance.candidates.targets import make_importable
from adamcore.conformance.errors import CandidateError, SettingError, UnavailableError
from adamcore.conformance.settings import Ranks
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.wire import pack_run, unpack_probe
from adamcore.conformance.workers.environment import add_parents_path
from adamcore.conformance.workers.later_dynamo import load_dynamo_later

POLL_SECONDS = 0.5  #: between two looks at whether the check still runs
SELDOM = 10_000  #: objects made between two looks for garbage; with Python's 700 they take a fifth


def main() -> None:
    """Read the jobs, run them and write the lines."""
    first, *others = json.loads(sys.stdin.buffer.read())
    lines = private_output()
    gc.disable()  # what a library leaves when it is imported stays: to look for garbage there takes a fifth
    threading.Thread(target=end_with, args=(first["parent"],), daemon=True).start()
    make_importable(Path.cwd())
    add_parents_path()
    try:
        run_tasks(first, lines)
        for job in others:
            if has_one_dtype():
                return
            write_line(lines, {"next": True})
            run_tasks(job, lines)
    except SettingError as error:
        write_line(lines, {"usage": str(error)})
    except UnavailableError as error:
        write_line(lines, {"unavailable": str(error)})
    except CandidateError as error:
        write_line(lines, {"broken": str(error)})


def has_one_dtype() -> bool:
    """True if JAX is loaded, whose default dtype is that of the whole process."""
    return "jax" in sys.modules


def end_with(parent: int) -> None:
    """Kill this process and those of its group when the process ``parent`` is no longer its parent."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def private_output() -> TextIO:
    """Return a stream to the real standard output, and redirect descriptor 1 to standard error."""
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
    """Load the candidate, run every task of the job and write its lines."""
    claims = [None if fields is None else Adam(**fields) for fields in job["claims"]]
    given = job["target"], claims, job["settings"], job["device"], job["timeout"], job["required"]
    if not job["ranks"]:
        candidates = load_candidates(*given)
        if job["shares"]:
            load_dynamo_later()
        run_all(job, candidates, lines)
        return
    from adamcore.conformance.workers.jax_processes import JaxProcesses
    from adamcore.conformance.workers.ranks import on_ranks

    ranks = Ranks(*job["ranks"])
    with JaxProcesses(given, ranks) as others:
        candidates = load_candidates(*given, joining=others.join if ranks.as_processes else None)
        with on_ranks(candidates, ranks, job["timeout"], others.leader) as together:
            run_all(job, together, lines)


def run_all(job: dict[str, Any], candidates: list[Candidate], lines: TextIO) -> None:
    """Run every task of a job on the candidate of its claim, and write its lines."""
    probes = [unpack_probe(packed) for packed in job["probes"]]
    write_line(lines, {"ready": dataclasses.asdict(candidates[0].info), "alone": has_one_dtype()})

    refusals = []
    for number, (claim, index) in enumerate(job["tasks"]):
        run, refusal = try_probe(candidates[claim], probes[index], job["dtype"])
        refusals.append(refusal)
        write_line(lines, {"task": number, "run": pack_run(run)})
        if not gc.isenabled():  # a library may import the rest of itself in the first step
            gc.freeze()
            gc.set_threshold(SELDOM)
            gc.enable()
    if refusals and all(refusals):
        raise CandidateError(f"it could not be constructed for any probe: {refusals[0]}")
    close = getattr(candidates[0], "close", None)
    if close is not None:
        close()
    write_line(lines, {"end": True})


def try_probe(candidate: Candidate, probe: Probe, dtype: str) -> tuple[Run, str | None]:
    """Return the run of a probe, and the text of the refusal if the constructor raised an error.

    If the constructor raises ValueError or NotImplementedError, it does not accept these inputs, and the
    probe is skipped.  Any other error counts as an error in step 1.
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
        raise  # the candidate is broken, so no other probe can run
    except Exception as error:  # a bug in the adapter
        return Run(error=describe(error)), None


if __name__ == "__main__":
    main()
