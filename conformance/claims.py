"""What a candidate claims to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adamcore import AXES, Adam
from adamcore.conformance.settings import parse_settings
from adamcore.dialects import DIALECTS, dialect, for_target, parse_option


def axes_of(adam: Adam) -> dict[str, Any]:
    """Its choice on every axis."""
    return {axis: getattr(adam, axis) for axis in AXES}


def claim_from(axes: dict[str, Any]) -> Adam:
    """An Adam that stands for a choice of axes; its hyperparameters mean nothing."""
    return Adam(**{axis: value for axis, value in axes.items() if axis in AXES})


@dataclass(frozen=True)
class Claim:
    """What a candidate is held to."""

    name: str  #: the dialect, with the options that were set: "torch.Adam(amsgrad=True)"
    adam: Adam


def claim_of_dialect(name: str, settings: Mapping[str, str] | None = None) -> Claim:
    """The claim of a dialect, changed by those of its options that --set chooses.

    Raises:
        DialectError: no such dialect; the message has the nearest names.

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
    return Claim(f"{row.name}({written})" if written else row.name, claim_from(axes))


def claim_for(
    target: str, chosen: str | None, own: str | None = None, settings: Mapping[str, str] | None = None
) -> Claim:
    """The claim of a candidate: --dialect, else its row in the table, else its own word, else the paper."""
    row = for_target(target)
    return claim_of_dialect(chosen or (row.name if row else own) or "paper", settings)


def all_claims() -> list[Claim]:
    """Every dialect of the table."""
    return [claim_of_dialect(name) for name in DIALECTS]
