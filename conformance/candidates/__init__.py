"""Adapters that run probes on a target, inside a worker process.

* :mod:`targets`: from what the user typed to the adapter of a target.
* :mod:`own`, :mod:`torch`, :mod:`optax`, :mod:`keras`, :mod:`array`, :mod:`kernel` and :mod:`command`: an
  adapter each.
* :mod:`adapter`: what they share; :mod:`sharded`: candidates on several ranks.
* :mod:`signatures`, :mod:`calls` and :mod:`conventions` are those of kernels; :mod:`driver` is the pipe to a
  program in any language; :mod:`schedules` has hyperparameters as functions of the number of updates.
"""

from adamcore.conformance.candidates.adapter.arguments import judged_hyper, served_probe
from adamcore.conformance.candidates.adapter.base import Candidate, CandidateInfo, Refusal
from adamcore.conformance.candidates.targets import is_own_backend, load_candidates
from adamcore.conformance.errors import CandidateError, SettingError, UnavailableError

__all__ = [
    "Candidate",
    "CandidateError",
    "CandidateInfo",
    "Refusal",
    "SettingError",
    "UnavailableError",
    "is_own_backend",
    "judged_hyper",
    "load_candidates",
    "served_probe",
]
