"""The recorder: what a training loop did to its parameters, kept bit for bit."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import Tensor, digest, encode
from adamcore.conformance.audit.arrays import Arrays, RecordingError, flat, pack
from adamcore.conformance.audit.log import Log, ParamStep, Settings, as_json, warn
from adamcore.conformance.audit.param_groups import floats
from adamcore.conformance.audit.states import find_state


class Recorder:
    """Keeps parameters, gradients and settings of a run, to be audited.

    Arrays are of any library, in mappings from names, which may be nested ("a.b" is ``x["a"]["b"]``).
    A parameter whose gradient is None, or not there, has an absent gradient.  One that is not among the
    parameters of a step is not in the optimizer then: it stands still.

    Nothing that goes wrong after the first step is raised: it is kept in :attr:`faults`, said in a
    warning, and said again by ``adamcore audit``.

    Args:
        hyper: lr, b1, b2, eps, weight_decay, and eps_root or momentum_decay where the run has them.
        dialect: what the run claims to be, a row of ``adamcore dialects``.
        settings: its options, as ``--set`` takes them: {"amsgrad": "True"}.
        state: of a run that is resumed, the state before the first step that is recorded: an
            ``AdamState``, an optax state, or a mapping with t, m, v and, where the run has them, v_max and
            mu_product; the parts are mappings like the parameters.

    Raises:
        RecordingError: a hyperparameter that is no number, or a state without t, m and v.

    Example:
        >>> import numpy as np
        >>> recorder = Recorder({"lr": 0.5, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0})
        >>> before, grads = {"w": np.ones(2)}, {"w": np.array([1.0, -1.0])}
        >>> recorder.step(before, grads, {"w": np.array([0.5, 1.5])})
        >>> recorder.steps
        1
    """

    def __init__(
        self,
        hyper: Mapping[str, float],
        dialect: str | None = None,
        settings: Mapping[str, Any] | None = None,
        state: Any = None,
    ) -> None:
        self.by = ""
        self._log = Log()
        self._observer: Any = None
        self._states = {} if state is None else find_state(state)
        self._gap = ""  # why the recording ends, where it does
        try:
            self._settings = Settings(floats(hyper), options_of(settings), None, dialect)
        except (TypeError, ValueError) as error:
            raise RecordingError(f"hyper: expected a number for each hyperparameter ({error})") from error

    @property
    def steps(self) -> int:
        """How many steps are recorded."""
        return self._log.steps

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The arrays of the file so far."""
        return self._log.arrays()

    @property
    def faults(self) -> list[str]:
        """What went wrong in the recorder, a line each."""
        return list(self._log.faults)

    def step(
        self,
        before: Arrays,
        grads: Arrays,
        after: Arrays,
        lr: float | None = None,
        *,
        hyper: Mapping[str, float] | None = None,
        settings: Mapping[str, Any] | None = None,
        state: Any = None,
    ) -> None:
        """Record one step.

        Args:
            before: the parameters that the step was given.
            grads: its gradients.
            after: the parameters that it returned.
            lr: the learning rate, where it is another than before.
            hyper: hyperparameters that are others than before, as of this step.
            settings: options that are others than before.
            state: where somebody changed the optimizer's state between the steps, the state that this
                step was given, as in the constructor.

        Raises:
            RecordingError: arrays that cannot be recorded, in the first step.
        """
        if self._gap:
            return
        try:
            self._step(before, grads, after, {} if lr is None else {"lr": lr}, hyper, settings, state)
        except Exception as error:
            said = (
                error
                if isinstance(error, RecordingError)
                else RecordingError(f"{type(error).__name__}: {error}")
            )
            if self.steps == 0:
                raise said from error
            self._gap = f"the recording ends here: {said}"
            self._log.fault(self._gap)

    def _step(
        self, before: Arrays, grads: Arrays, after: Arrays, lr: Mapping[str, float],
        hyper: Mapping[str, float] | None, settings: Mapping[str, Any] | None, state: Any,
    ) -> None:  # fmt: skip
        old = self._settings
        now = {**old.hyper, **floats({**(hyper or {}), **lr})}
        new = Settings(now, {**old.options, **options_of(settings)}, None, old.dialect)
        states = {**self._states, **({} if state is None else find_state(state))}
        grads, after = flat(grads), flat(after)
        params: dict[str, ParamStep] = {}
        for name, array in flat(before).items():
            if name not in after:
                raise RecordingError(f"{name!r} is among the parameters before the step, and not after it")
            g = grads.get(name)
            x, y = pack(name, array), pack(name, after[name])
            last = self._log.tensors.get(f"after/{self.steps}/{name}", x)
            if not (x.dtype, x.shape) == (y.dtype, y.shape) == (last.dtype, last.shape):
                raise RecordingError(
                    f"{name!r} became {y.dtype}{list(y.shape)}: record it under another name"
                )
            params[name] = ParamStep(0, x, None if g is None else pack(name, g), y, state=states.get(name))
        if self.steps == 0 and states.keys() - params.keys():
            raise RecordingError(
                f"the state has {', '.join(sorted(states.keys() - params.keys()))}, which is no parameter"
            )
        self._log.enter(params, [new])
        self._settings, self._states = new, {}

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OSError: the folder is not there or cannot be written to.
        """
        tensors = self.tensors
        text = as_json(self._log.run(self.by))
        metadata = {"adamcore": text, "sha256": digest(tensors, text)}
        write_whole(path, encode(tensors, metadata, separators=(",", ":")))
        if self.faults:
            warn(f"{path}: the recording has {len(self.faults)} faults of the recorder: {self.faults[0]}")

    @classmethod
    def torch(cls, optimizer: Any, names: Any = None) -> Recorder:
        """Record every step of a ``torch.optim.Optimizer`` from now on.

        Parameters, groups and their settings may change between the steps, and so may the state: it is
        taken up as it is found.  A step with a closure is recorded with the gradients that the closure
        made.  No error of the recorder is raised in ``optimizer.step()``.

        Args:
            optimizer: any, or a wrapper that has one.  Its class, or the nearest base of it that the
                table of dialects has, names the claim; ours say themselves what they are.
            names: of the parameters: ``dict(model.named_parameters())``, or the module.  Without it the
                names that the optimizer was given, else "group.index".

        Raises:
            RecordingError: no optimizer of PyTorch; or one that has stepped already and whose state
                cannot be read.
        """
        from adamcore.conformance.audit.torch import Observer

        recorder = cls({})
        recorder.by = f"torch {sys.modules['torch'].__version__}"
        recorder._observer = Observer(optimizer, recorder._log, names)
        return recorder

    def detach(self) -> None:
        """Stop recording an optimizer of PyTorch; what was recorded can be saved."""
        if self._observer is not None:
            self._observer.detach()


def options_of(settings: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (settings or {}).items()}
