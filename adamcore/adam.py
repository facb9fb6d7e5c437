"""The `Adam` object: hyperparameters, a value on every axis, and the three things it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from adamcore import axes, reset, step  # noqa: F401  # typing.get_type_hints(Adam.__init__) looks for axes
from adamcore.config import AdamConfig, Schedule  # noqa: F401  # and for Schedule
from adamcore.state import AdamState
from adamcore.step_cache import CACHE
from adamcore.types import Tree


@dataclass(frozen=True, kw_only=True)
class Adam(AdamConfig):
    """One Adam: its hyperparameters and its choice on every axis.

    Frozen, hashable, validated on construction.  The defaults are Algorithm 1 of Kingma and Ba
    (2015), weight decay (0 unless given) as L2.

    Args:
        lr: learning rate, a number >= 0 or a schedule: a function of the clock t of the step
            being made (the first update is t=1).
        b1, b2: decay rates of the moments, in [0, 1).
        eps: added beside or under the root, >= 0, in the units of the axis ``epsilon``.
        eps_root: added to v_hat under the root besides, >= 0 (optax); only with epsilon outside.
        weight_decay: >= 0; what it multiplies is the axis ``decay``.
        momentum_decay: of Dozat's momentum schedule, >= 0; used by ``nesterov="dozat"`` alone.
        moment_dtype: name of the moments' dtype, such as ``"float32"``; None for the parameter's.

    The other fields are the axes of docs/spec.md; their values stand in :data:`adamcore.AXES`.

    Raises:
        HyperparameterError: a number outside its range, NaN or infinite.
        AxisError: a value the axis does not have, or a combination without a meaning.

    Example:
        >>> import numpy as np
        >>> opt = Adam(lr=0.1)
        >>> params = {"w": np.array([1.0, -2.0])}
        >>> state = opt.init(params)
        >>> params, state = opt.step(params, {"w": np.array([0.5, 0.0])}, state)
        >>> params["w"]
        array([ 0.9, -2. ])
    """

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != CACHE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.pop("_lanes", None)  # pickles of before 0.1 hold an empty cache

    @classmethod
    def like(cls, dialect_name: str, **overrides: Any) -> Adam:
        """The Adam of a known implementation, with that one's own defaults.

        Args:
            dialect_name: a row of :mod:`adamcore.dialects`, such as ``"torch.AdamW"``.
            overrides: fields of this class that differ from the row.

        Raises:
            DialectError: the table has no such row (the message names the nearest).
            HyperparameterError, AxisError: as the constructor.

        Example:
            >>> Adam.like("torch.AdamW", lr=3e-4).weight_decay
            0.01
        """
        from adamcore import dialects  # a table of 400 lines, loaded when it is asked for

        return dialects.like(dialect_name, **overrides)

    def init(self, params: Tree) -> AdamState:
        """The state before the first step (MOM.3, CLK.2).

        Args:
            params: a tree of arrays of one library, floating or complex, of any shape; a bare array
                is a tree.  None in it is a place without a parameter.

        Returns:
            The clock, an int32 0-d array of 0 for each leaf (one for all with ``clock="global"``);
            first and second moments, zeros of the parameters' shapes in their dtypes or in
            ``moment_dtype``; what AMSGrad and Dozat's Nesterov form need besides.

        Raises:
            ParameterError: a leaf that is no array, or of integers or booleans.
            TreeError: one array in two leaves.
            BackendError: arrays of two libraries in one tree.
            HyperparameterError: an epsilon that is 0 in the arithmetic's dtype (EPS.6), or a
                ``moment_dtype`` that the library does not have.

        Example:
            >>> import numpy as np
            >>> state = Adam().init([np.ones(2, dtype=np.float32)])
            >>> state.t, state.v
            ([array(0, dtype=int32)], [array([0., 0.], dtype=float32)])
        """
        return step.init(self, params)

    def step(
        self,
        params: Tree,
        grads: Tree,
        state: AdamState,
        *,
        lr: Any = None,
        present: Tree = None,
        donate: bool = False,
    ) -> tuple[Tree, AdamState]:
        """One update of a tree of parameters: the new parameters and the new state.

        Everything that can be checked is checked before anything changes; values that only the
        program knows (traced, or on another device) are not looked at.

        Args:
            params: as given to :meth:`init`.
            grads: a tree like ``params``: an array of the leaf's shape, dtype, library and device,
                or None where the gradient is absent in this step (F1, and the axis ``missing``).  A
                zero gradient is a gradient (F2).
            state: from :meth:`init`, :meth:`step` or :meth:`reset`.
            lr: this step's learning rate instead of the object's: a number >= 0, a 0-d array, or
                a schedule.  A schedule is called with the clock of the update being made, the
                first is 1, of the leaf it steps: an int, or a 0-d array where it is traced (LR.1).
            present: a tree like ``params``: True, False (the same as a gradient of None) or a 0-d
                boolean array for a whole leaf; or a boolean mask that broadcasts to the leaf's shape:
                where False, parameter and moments stay bit for bit while the leaf's clock ticks,
                whatever the axis ``missing`` says (F3).  A traced 0-d boolean under
                ``missing="error"`` can't raise: False then leaves the leaf as it is.
            donate: the storage of params and state may be used for the results: in place in NumPy
                and PyTorch.  Otherwise they are not modified; a leaf that stands still comes back
                as the same object.

        Returns:
            Trees of the structure, shapes and dtypes of ``params`` and ``state``.

        Raises:
            ParameterError, BackendError, TreeError: as :meth:`init`, and TreeError for trees of
                other leaves than ``params``.
            GradientError: a gradient that is not of its parameter's shape, dtype, library or device.
            MissingGradientError: an absent gradient under ``missing="error"``; none at all under
                ``all_missing="error"`` with a global clock (F6).
            MaskError: a leaf of ``present`` that is no boolean or does not fit.
            StateError: a state of other parameters, or for other axes.
            ClockError: a clock that is no whole number from 0 to 2**31 - 1.
            HyperparameterError: ``lr`` is negative, NaN or infinite; or as :meth:`init`.

        Example:
            >>> import numpy as np
            >>> opt = Adam(lr=0.1)
            >>> params = {"b": np.array([1.0]), "c": np.array([1.0])}
            >>> state = opt.init(params)
            >>> params, state = opt.step(params, {"b": np.array([2.0]), "c": None}, state)
            >>> params["b"], params["c"], state.t["c"]
            (array([0.9]), array([1.]), array(0, dtype=int32))
        """
        return step.step(self, params, grads, state, lr, present, donate)

    def reset(
        self, state: AdamState, which: Tree = None, clock: Literal["reset", "keep"] = "reset"
    ) -> AdamState:
        """The state, or the leaves of it that ``which`` names, back at the start (F4).

        Moments and maximum go back to 0, and with them the clock (and what goes with it: the product
        of Dozat's schedule): zero moments under a late clock are corrected as if they were old.

        Args:
            state: from :meth:`init`, :meth:`step` or this.
            which: a tree like the parameters of booleans (0-d boolean arrays too): True is reset;
                None resets all.
            clock: ``"keep"`` leaves the clocks as they are.

        Raises:
            StateError: a part is to be reset with its clock, under ``clock="global"``.
            MaskError: a leaf of ``which`` that is no boolean.

        Example:
            >>> import numpy as np
            >>> opt = Adam()
            >>> state = opt.init({"b": np.ones(1), "c": np.ones(1)})._replace(t={"b": 5, "c": 5})
            >>> opt.reset(state, {"b": False, "c": True}).t
            {'b': 5, 'c': 0}
        """
        return reset.reset(self, state, which, clock)
