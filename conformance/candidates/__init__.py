"""Adapters that turn a target into something that runs probes, inside a worker process.

One module a kind: :mod:`own` (our backends), :mod:`torch_optimizer`, :mod:`optax_factory`,
:mod:`keras_optimizer` and :mod:`array_candidate`; :mod:`targets` finds and tells them apart, and
:mod:`arguments` maps our hyperparameters to the arguments of their constructors.
"""

from adamcore.conformance.candidates.arguments import effective_hyper
from adamcore.conformance.candidates.base import Candidate, CandidateInfo, Refusal
from adamcore.conformance.candidates.targets import is_own_backend, load_candidates
from adamcore.conformance.errors import CandidateError, SettingError, UnavailableError

__all__ = [
    "Candidate",
    "CandidateError",
    "CandidateInfo",
    "Refusal",
    "SettingError",
    "UnavailableError",
    "effective_hyper",
    "is_own_backend",
    "load_candidates",
]
