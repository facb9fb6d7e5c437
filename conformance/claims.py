"""Claims: the Adam that a candidate is held to, as a choice on every axis of docs/spec.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from adamcore import AXES, Adam
from adamcore.config import MOMENT_DTYPES, MOMENT_STORAGE, STORAGE
from adamcore.conformance.dtypes import DTYPES as FORMATS
from adamcore.conformance.settings import MOMENT_POLICIES, POLICIES, parse_settings
from adamcore.dialects import DIALECTS, dialect, for_target, parse_option

BLOCKWISE = dict.fromkeys(MOMENT_STORAGE, "blockwise8")
#: How implementations keep moments that are known to keep them in 8 bits, by their targets.
KEEPING_OF_TARGETS: Mapping[str, Mapping[str, str]] = dict.fromkeys(
    (f"{library}.optim:{name}8bit" for library in ("torchao", "bitsandbytes") for name in ("Adam", "AdamW")),
    BLOCKWISE,
)


def axes_of(adam: Adam) -> dict[str, Any]:
    """Return an Adam's choice on every axis."""
    return {axis: getattr(adam, axis) for axis in AXES}


def claim_from(axes: dict[str, Any]) -> Adam:
    """Return an Adam with this choice of axes; its hyperparameters have no meaning."""
    return Adam(**{axis: value for axis, value in axes.items() if axis in AXES})


def keeping_of(settings: Mapping[str, str]) -> dict[str, str | int]:
    """Return which fields of ``Adam`` that say how numbers are kept are among ``--set``, with their values.

    >>> keeping_of({"p_storage": "split", "seed": "3", "amsgrad": "True", "moment_dtype": "torch.float32"})
    {'p_storage': 'split', 'seed': 3}
    """
    known = {
        "p_storage": POLICIES,
        **dict.fromkeys(MOMENT_STORAGE, MOMENT_POLICIES),
        **dict.fromkeys(MOMENT_DTYPES, tuple(FORMATS)),
    }
    found: dict[str, str | int] = {n: v for n, v in settings.items() if v in known.get(n, ())}
    if settings.get("seed", "").isdigit():
        found["seed"] = int(settings["seed"])
    return found


def with_keeping(claim: Claim, keeping: Mapping[str, str | int]) -> Claim:
    """Return the claim with these fields that say how numbers are kept.

    >>> with_keeping(claim_of_dialect("torch.AdamW"), {"p_storage": "split", "seed": 0}).name
    'torch.AdamW(p_storage=split)'
    """
    default = Adam()
    chosen = {name: value for name, value in keeping.items() if value != getattr(default, name)}
    if not chosen:
        return claim
    written = ", ".join(f"{name}={value}" for name, value in chosen.items())
    name = f"{claim.name[:-1]}, {written})" if claim.name.endswith(")") else f"{claim.name}({written})"
    return replace(claim, name=name, adam=replace(claim.adam, **chosen))  # type: ignore[arg-type]


def fields_of(adam: Adam) -> dict[str, Any]:
    """Return an Adam's choice on every axis, and how it keeps numbers."""
    return {name: getattr(adam, name) for name in (*AXES, *MOMENT_DTYPES, *STORAGE)}


@dataclass(frozen=True)
class Claim:
    """A claim with its name."""

    name: str  #: the dialect and the options that were set: "torch.Adam(amsgrad=True)"
    adam: Adam  #: the axes; its hyperparameters have no meaning
    defaults: Mapping[str, float] = field(default_factory=dict, hash=False)  #: its dialect's own ones


def claim_of_dialect(name: str, settings: Mapping[str, str] | None = None) -> Claim:
    """Return the claim of a dialect.

    Args:
        name: the dialect.
        settings: what the user chose with ``--set``; options of the dialect among it change the claim.

    Raises:
        DialectError: there is no such dialect; the message has the nearest names.

    >>> claim_of_dialect("torch.Adam", {"amsgrad": "True"}).name
    'torch.Adam(amsgrad=True)'
    """
    row = dialect(name)
    _, given = parse_settings(settings or {})
    axes = dict(row.axes)
    chosen: dict[str, Any] = {}
    for option in sorted(row.options, key=lambda text: text.count(",")):
        wanted = parse_option(option)
        if all(key in given and given[key] == value for key, value in wanted.items()):
            axes |= row.options[option]
            chosen |= wanted
    written = ", ".join(f"{key}={value}" for key, value in chosen.items())
    defaults = {name: value for name, value in row.defaults.items() if value is not None}
    return Claim(f"{row.name}({written})" if written else row.name, claim_from(axes), defaults)


def claim_for(
    target: str, chosen: str | None, own: str | None = None, settings: Mapping[str, str] | None = None
) -> Claim:
    """Return the claim of a candidate.

    Args:
        target: what the user typed for the candidate.
        chosen: the dialect that the user chose; None: that of the target's row in the table of
            dialects, or else ``own``, or else "paper".
        own: the dialect that the candidate itself names.
        settings: what the user chose with ``--set``.

    Raises:
        DialectError: there is no such dialect.
    """
    row = for_target(target)
    return claim_of_dialect(chosen or (row.name if row else own) or "paper", settings)


def all_claims() -> list[Claim]:
    """Return the claims of all dialects."""
    return [claim_of_dialect(name) for name in DIALECTS]


@lru_cache(maxsize=1)
def named_claims() -> dict[str, Adam]:
    """Return every dialect, and every dialect with options of its own: ``torch.Adam(amsgrad=True)``."""
    claims: dict[str, Adam] = {}
    for name, row in DIALECTS.items():
        chosen = [dict[str, Any]()]
        for option in row.options:
            pairs = parse_option(option)
            chosen += [given | pairs for given in chosen if not given.keys() & pairs.keys()]
        for given in chosen:
            claim = claim_of_dialect(name, {key: str(value) for key, value in given.items()})
            claims.setdefault(claim.name, claim.adam)
    return claims
