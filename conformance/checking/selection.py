"""What a check runs: probes, targets that nobody named, and ways to keep numbers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from adamcore.config import MOMENT_STORAGE
from adamcore.conformance.errors import UsageError
from adamcore.conformance.settings import HISTORIES, MOMENT_POLICIES, NARROW, OWN_TARGETS, POLICIES, QUICK
from adamcore.conformance.types import Probe
from adamcore.registry import announced

HISTORY = re.compile(r"STEP\.1/history-(\d{1,9})")  #: the name of a history, with its seed


def select_probes(patterns: Iterable[str], *, quick: bool = False, histories: int = HISTORIES) -> list[Probe]:
    """Return the probes whose name or rule matches one of the patterns; no pattern selects all probes.

    Args:
        patterns: of names or rules.  The name of a history selects it, whatever its number.
        quick: True selects the short ones of these.
        histories: how many are drawn at random.

    Raises:
        UsageError: a pattern matches no probe, or none of the selected probes is quick.
    """
    from adamcore.conformance.probes import PROBES
    from adamcore.conformance.probes.histories import history

    patterns = list(patterns)
    asked = {int(found[1]) for found in map(HISTORY.fullmatch, patterns) if found}
    drawn = [history(seed) for seed in sorted({*range(histories), *asked})]
    first = next(k for k, probe in enumerate(PROBES.values()) if probe.drawn)
    designed = [probe for probe in PROBES.values() if not probe.drawn]
    known = [*designed[:first], *drawn, *designed[first:]]
    for pattern in patterns:
        if not any(matches(probe, pattern) for probe in known):
            near = difflib.get_close_matches(pattern, PROBES, n=3, cutoff=0.4)
            advice = f"nearest: {', '.join(near)}" if near else "`adamcore probes` lists all"
            raise UsageError(f"no probe {pattern!r}; {advice}")
    fitting = [p for p in known if not patterns or any(matches(p, pattern) for pattern in patterns)]
    chosen = [p for p in fitting if is_quick(p)] if quick else fitting
    if not chosen:
        raise UsageError(f"--quick leaves none of these probes: {', '.join(p.name for p in fitting)}")
    return chosen


def is_quick(probe: Probe) -> bool:
    """True if the probe belongs to a quick check: it has at most QUICK updates of a parameter in all."""
    return probe.updates <= QUICK and not probe.is_large


def matches(probe: Probe, pattern: str) -> bool:
    """True if the probe's name or rule matches the pattern."""
    return fnmatchcase(probe.name, pattern) or fnmatchcase(probe.rule, pattern)


def default_targets() -> dict[str, str | None]:
    """Return every backend, of adamcore and of other packages, with its only claim; None for all dialects.

    Backends whose library is not installed are among them.
    """
    others = [f"array:{entry.name}" for entry in announced()]
    return OWN_TARGETS | {name: None for name in others if name not in OWN_TARGETS}


def keepings(
    storage: Sequence[str], moments: str | None, dtypes: Sequence[str]
) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield the ways to keep numbers that are asked for, each with the dtypes that have it.

    Raises:
        UsageError: a policy is unknown, or has no meaning in any of the dtypes.

    >>> [keeping["p_storage"] for keeping, _ in keepings(["all"], None, ["float16"])]
    ['plain', 'master', 'split', 'kahan', 'stochastic']
    """
    wide = {} if moments is None else {"moment_dtype": moments}
    if moments is not None and moments in MOMENT_POLICIES:
        wide = dict.fromkeys(MOMENT_STORAGE, moments)
    policies = dict.fromkeys(POLICIES if "all" in storage else storage)
    if unknown := [policy for policy in policies if policy not in POLICIES]:
        raise UsageError(f"unknown policy {unknown[0]!r}; expected all, {', '.join(POLICIES)}")
    if not any(dtype in NARROW for dtype in dtypes):
        asked = [f"storage {policy!r}" for policy in policies if policy != "plain"]
        asked += ["moments 'stochastic'"] if moments == "stochastic" else []
        if asked:
            raise UsageError(
                f"{asked[0]} without a dtype of 16 bits, in which alone it has a meaning: expected --dtype "
                "bfloat16 or float16 with it"
            )
    if not policies:
        yield wide, list(dtypes)
    for policy in policies:
        where = [d for d in dtypes if (policy, d) != ("split8", "float16")]  # STORE.1
        if where:
            yield {"p_storage": policy} | wide, where
        elif "all" not in storage:
            raise UsageError(f"policy {policy!r} with dtype {dtypes[0]!r}: expected bfloat16")
