"""Adapters that run probes on a target, inside a worker process.

* :mod:`own`, :mod:`torch`, :mod:`optax`, :mod:`keras`, :mod:`array`, :mod:`kernel` and :mod:`command`: an
  adapter each; :mod:`signatures`, :mod:`calls` and :mod:`conventions` are those of kernels.
* :mod:`targets`: the adapter of a target.
* :mod:`arguments`: the constructor argument of each hyperparameter.
* :mod:`base`: what the adapters share; :mod:`buffers`: the memory of gradients.
* :mod:`driver`: the pipe to a program in any language.
"""

from adamcore.conformance.candidates.arguments import judged_hyper, served_probe
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
    "is_own_backend",
    "judged_hyper",
    "load_candidates",
    "served_probe",
]
