"""The anatomy of a candidate: its parts as measured, the claim's beside them, and the rule in equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.anatomy.circumstances import CIRCUMSTANCES
from adamcore.conformance.anatomy.equations import beside, equations
from adamcore.conformance.anatomy.experiments import EXPERIMENTS
from adamcore.conformance.anatomy.parts import Part, measure
from adamcore.conformance.anatomy.precision import digits_of_arrays
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS
from adamcore.conformance.anatomy.texts import Comparison
from adamcore.conformance.types import FloatArray, Probe, Run
from adamcore.conformance.wire import Json

EVERY_EXPERIMENT: dict[str, Probe] = (
    EXPERIMENTS
    | CIRCUMSTANCES
    | {"digits": digits_of_arrays()}
    | {name: sweep.probe for name, sweep in SWEEPS.items()}
)
"""The experiments that show the rule, and those that show where a candidate leaves it, by name."""


@dataclass(frozen=True)
class Anatomy:
    """The measured parts of one candidate in one dtype.

    Example:
        >>> runs = {name: readings_of_claim(Adam(), {name: p}, "float64").runs[name]
        ...         for name, p in EXPERIMENTS.items()}
        >>> anatomy = Anatomy(Readings(runs, EXPERIMENTS, "float64"))
        >>> anatomy.equations[0]
        ('first moment', 'm = 0.8 m + 0.2 g')
    """

    readings: Readings
    claim: Adam | None = None  #: the Adam that it is held to
    lacks: tuple[str, ...] = ()  #: hyperparameters that it has no argument for

    @cached_property
    def claimed(self) -> Readings | None:
        """What the claim does on the same experiments."""
        if self.claim is None:
            return None
        return readings_of_claim(self.claim, self.readings.probes, self.readings.dtype)

    @cached_property
    def parts(self) -> list[Part]:
        """Every part in causal order."""
        with np.errstate(all="ignore"):
            return measure(self.readings, self.claimed)

    @cached_property
    def equations(self) -> list[tuple[str, str]]:
        """The update rule as measured: the name of each part, and its equation."""
        with np.errstate(all="ignore"):
            return equations(self.readings)

    @cached_property
    def beside(self) -> list[Comparison]:
        """The update rule as claimed beside the one that was measured; nothing is claimed without a claim."""
        if self.claimed is None:
            return beside([], self.equations)
        with np.errstate(all="ignore"):
            return beside(equations(self.claimed), self.equations)

    @property
    def error(self) -> str:
        """The error of an ordinary run, or nothing."""
        run = self.readings.runs.get("main")
        return "" if self.claimed is None or run is None else run.error or ""

    @property
    def levers(self) -> Mapping[str, float]:
        """The hyperparameters under which the equations were measured."""
        hyper = self.readings.probes["main"].hyper
        return {name: value for name, value in hyper.items() if name not in self.lacks}

    def as_dict(self) -> Json:
        """Return the anatomy in the form of schemas/report-1.json."""
        return {
            "dtype": self.readings.dtype,
            "levers": dict(self.levers),
            "equations": [{"part": part, "equation": text} for part, text in self.equations],
            "parts": [
                {
                    "part": part.name,
                    "values": [
                        {
                            "name": name,
                            "value": numbers(value.value),
                            "error": numbers(value.error),
                            "claimed": numbers(part.claimed[name].value) if name in part.claimed else None,
                            "as_claimed": name not in part.differs if name in part.claimed else None,
                        }
                        for name, value in part.measured.items()
                    ],
                }
                for part in self.parts
                if part.measured
            ],
        }


def numbers(values: FloatArray) -> list[float | None]:
    """Return values for JSON, which has no NaN and no infinity: null stands for these."""
    return [float(x) if np.isfinite(x) else None for x in np.ravel(values)]


def anatomy_of(
    runs: Mapping[str, Run],
    probes: Mapping[str, Probe],
    dtype: str,
    claim: Adam | None = None,
    lacks: tuple[str, ...] = (),
) -> Anatomy:
    """Return the anatomy of a candidate.

    Args:
        runs: its runs by the names of the experiments' probes.
        probes: the experiments as the candidate saw them, by the same names.
        dtype: the dtype of the runs.
        claim: the Adam that it is held to.
        lacks: hyperparameters that it has no argument for.
    """

    def by_name(items: Mapping[str, Any]) -> dict[str, Any]:
        return {name: items[probe.name] for name, probe in EVERY_EXPERIMENT.items() if probe.name in items}

    return Anatomy(Readings(by_name(runs), by_name(probes), dtype), claim, lacks)
