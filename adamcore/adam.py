"""The `Adam` object: the configuration, and the methods that use it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from adamcore import axes, step  # noqa: F401  # typing.get_type_hints(Adam.__init__) looks for axes
from adamcore.clock import HOST, fixed_lr
from adamcore.coefficients import MAX_CLOCK
from adamcore.config import AdamConfig, Schedule  # noqa: F401  # and for Schedule
from adamcore.definition import coefficients
from adamcore.dtypes import DtypeTable
from adamcore.numerics import NumericsReport
from adamcore.numerics.check import Leaf, report
from adamcore.state import AdamState
from adamcore.step_cache import CACHE
from adamcore.storage.moments import MomentStorage  # noqa: F401  # and for MomentStorage
from adamcore.storage.policies import PStorage  # noqa: F401  # and for PStorage
from adamcore.trees import ParamTree
from adamcore.types import Scalar, Tree


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)  # the base class has both
class Adam(AdamConfig):
    """One Adam: its hyperparameters and its value on every axis.

    An axis is a point on which implementations of Adam differ; docs/spec.md describes each, and
    :data:`adamcore.AXES` lists the values.  The object is frozen, hashable and validated on
    construction.  Its defaults are Algorithm 1 of Kingma and Ba (2015), to which a ``weight_decay``
    that is not 0 adds L2 regularization.

    Args:
        lr: learning rate, a number >= 0 or a schedule: a function of the clock t of the step
            being made (the first update is t=1).
        b1, b2: decay rates of the moments, in [0, 1).
        eps: a number >= 0, added to the root or under it; the axis ``epsilon`` says which.
        eps_root: a number >= 0, added under the root besides an eps outside of it, as in optax (EPS.5).
        weight_decay: a number >= 0; the axis ``decay`` says what it multiplies.
        momentum_decay: the rate of Dozat's momentum schedule, >= 0; only ``nesterov="dozat"`` uses it.
        lr_max: a number >= 0, the learning rate by which that of a step is divided under the two kinds of
            ``decay`` that are relative to it (DEC.7, DEC.8); 0 stands for ``lr``, if that is a number.
        moment_dtype: the name of the moments' dtype, such as ``"float32"``; None for the parameter's.
        m_dtype: the name of the dtype of m alone; None for that of ``moment_dtype``.
        v_dtype: the same for v and v_max (MOM.4).
        p_storage: how parameters of bfloat16 and float16 are kept between steps (STORE.1 to STORE.7):
            ``"plain"``, ``"master"``, ``"split"``, ``"split8"``, ``"kahan"`` or ``"stochastic"``.  Other
            parameters are kept as they are.
        seed: a whole number from 0 to 2**32 - 1, of which the random bits of ``"stochastic"`` are made.
        m_storage: how m is kept between steps (STORE.9): ``"plain"``, in its dtype; ``"stochastic"``, rounded
            at random if that is bfloat16 or float16 (STORE.16); or in 8 bits with a scale for each block of
            elements, ``"companded8"``, or ``"blockwise8"`` as bitsandbytes and torchao do.
        v_storage: the same for v and v_max.

    Each of the other fields is the axis of its name.

    Raises:
        HyperparameterError: a number is out of its range, NaN or infinite.
        AxisError: an axis does not have the value, or a combination has no meaning.

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
        self.__dict__.update({field.name: field.default for field in fields(self)} | state)
        self.__dict__.pop("_lanes", None)  # pickles of before 0.1 hold an empty cache

    @classmethod
    def like(cls, dialect_name: str, **overrides: Any) -> Adam:
        """Return the Adam of a known implementation, with the defaults of that implementation.

        Args:
            dialect_name: the name of a row of :mod:`adamcore.dialects`, such as ``"torch.AdamW"``.
            overrides: fields of this class, for values other than those of the row.

        Raises:
            DialectError: the table has no such row; the message names the nearest ones.
            HyperparameterError: as for the constructor; or the row has no default for a number that is
                not given.
            AxisError: as for the constructor.

        Example:
            >>> Adam.like("torch.AdamW", lr=3e-4).weight_decay
            0.01
        """
        from adamcore import dialects  # a table of 400 lines, loaded when it is asked for

        return dialects.like(dialect_name, **overrides)

    def init(self, params: Tree) -> AdamState:
        """Return the state before the first step (MOM.3, CLK.2).

        Args:
            params: a tree of floating or complex arrays of one library, of any shape; a bare array is
                a tree.  Its arrays are the leaves; None stands for a leaf without a parameter.

        Returns:
            For each leaf, a clock of 0 (an int32 0-d array; one for all leaves with
            ``clock="global"``), and moments of 0, in the dtypes that MOM.4 gives.
            AMSGrad adds the maximum ``v_max``, Dozat's form of Nesterov momentum ``mu_product``, and
            some values of ``p_storage`` what they keep of the parameters, ``p_rest``.  Moments in 8 bits are
            codes, with scales beside them (STORE.9).

        Raises:
            ParameterError: a leaf is no array, or has integers or booleans.
            TreeError: one array is in two leaves.
            BackendError: the tree has arrays of two libraries.
            HyperparameterError: an epsilon is 0 in the dtype of the arithmetic (EPS.6), the
                library has no dtype of the name in ``moment_dtype``, ``m_dtype`` or ``v_dtype``, or
                ``p_storage`` can't keep a parameter's dtype.

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
        weight_decay: Any = None,
        present: Tree = None,
        donate: bool = False,
        grad_scale: Scalar | None = None,
        found_inf: Any = None,
        clip: step.Clip | None = None,
    ) -> tuple[Tree, AdamState]:
        """Make one update of a tree of parameters; return the new parameters and the new state.

        All checks are made before anything changes.  A value that Python cannot read, because it is
        traced by a compiler or on another device, is not checked.

        Args:
            params: as given to :meth:`init`.
            grads: a tree like ``params``.  A leaf is an array of the parameter's shape, dtype,
                library and device, or None if the gradient is absent in this step (F1, and the axis
                ``missing``).  A zero gradient is not absent (F2).  Some rows of a gradient may be given
                as :class:`adamcore.Rows` (SPARSE.1).
            state: from :meth:`init`, :meth:`step` or :meth:`reset`.
            lr: this step's learning rate instead of the object's: a number >= 0, a 0-d array, or
                a schedule.  A schedule is called, for each leaf, with the clock of the update being
                made (the first is 1): an int, or a 0-d array if the clock is traced (LR.1).
            weight_decay: this step's weight decay instead of the object's, in the forms of ``lr`` (LR.5).
            present: a tree like ``params``; None means that every leaf is present.  A leaf is True,
                False (the same as a gradient of None), a 0-d boolean array, or a boolean mask that
                broadcasts to the parameter's shape.  Where a mask is False, parameter and moments
                keep their bits while the leaf's clock ticks, whatever the axis ``missing`` says (F3).
                Under ``missing="error"`` a traced 0-d boolean cannot raise an error; if it is False,
                the leaf stays as it is.
            donate: True if the results may be written into the memory of params and state; NumPy and
                PyTorch then step in place.  If it is False, params and state are not modified, and a
                leaf that does not change is returned as the same object.
            grad_scale: the loss scale, a number > 0 or a 0-d array: the step divides the gradients by it
                before everything else, in the dtype of the arithmetic (SCALE.1).
            found_inf: True, a number that is not 0, or such a 0-d array, if a gradient has overflowed: the
                step then changes nothing, the clock included (SCALE.2).
            clip: how the gradients are clipped, after the loss scale is divided out and before everything
                else (CLIP.1): an :class:`adamcore.Clip`; None if they are not.

        Returns:
            Trees of the structure, shapes and dtypes of ``params`` and ``state``.

        Raises:
            ParameterError, BackendError: as for :meth:`init`.
            TreeError: as for :meth:`init`; or a tree has other leaves than ``params``; or leaves share
                memory under ``donate=True``, so that the step of one would change another in place.
            GradientError: a gradient differs from its parameter in shape, dtype, library or device.
            MissingGradientError: a gradient is absent under ``missing="error"``, or all are under
                ``all_missing="error"`` with a global clock (F6).
            MaskError: a leaf of ``present`` is no boolean, or does not fit.
            StateError: the state was made for other parameters or other axes.
            ClockError: a clock is no whole number from 0 to 2**31 - 1.
            HyperparameterError: as for :meth:`init`; or ``lr`` or ``weight_decay`` is negative, NaN or
                infinite, or ``grad_scale``, ``found_inf`` or ``clip`` is not as above.

        Example:
            >>> import numpy as np
            >>> opt = Adam(lr=0.1)
            >>> params = {"b": np.array([1.0]), "c": np.array([1.0])}
            >>> state = opt.init(params)
            >>> params, state = opt.step(params, {"b": np.array([2.0]), "c": None}, state)
            >>> params["b"], params["c"], state.t["c"]
            (array([0.9]), array([1.]), array(0, dtype=int32))
        """
        hyper = None if weight_decay is None else {"weight_decay": weight_decay}
        scaled = grad_scale is not None or found_inf is not None
        loss_scale = step.LossScale(grad_scale, found_inf) if scaled else None
        return step.step(self, params, grads, state, lr, present, donate, hyper, loss_scale, clip)

    def reset(
        self, state: AdamState, which: Tree = None, clock: Literal["reset", "keep"] = "reset"
    ) -> AdamState:
        """Return the state with the selected leaves returned to the start (F4).

        Moments, maximum and clock become 0, and the product of Dozat's schedule becomes 1.  ``p_rest`` is a
        part of the parameters, and stays (STORE.8).  If the clock
        stayed, bias correction would treat the moments of 0 as the result of many updates.

        Args:
            state: from :meth:`init`, :meth:`step` or :meth:`reset`.
            which: a tree like the parameters, of booleans or boolean 0-d arrays; True selects a leaf.
                None selects all.
            clock: ``"keep"`` leaves the clocks as they are.

        Returns:
            A new state; the old one is not modified.

        Raises:
            StateError: ``which`` selects a part, and the Adam has one clock for all
                (``clock="global"``); or ``clock`` is neither ``"reset"`` nor ``"keep"``.
            MaskError: a leaf of ``which`` is no boolean, or ``which`` has other leaves.

        Example:
            >>> import numpy as np
            >>> opt = Adam()
            >>> state = opt.init({"b": np.ones(1), "c": np.ones(1)})._replace(t={"b": 5, "c": 5})
            >>> opt.reset(state, {"b": False, "c": True}).t
            {'b': 5, 'c': 0}
        """
        return step.reset(self, state, which, clock)

    def check_numerics(self, params: Tree, lr: Scalar | None = None) -> NumericsReport:
        """Return what the dtypes of parameters, moments and arithmetic would lose in a training.

        No gradient is needed, and nothing is changed.  docs/numerics.md lists what is looked for, with
        the derivation of each number.

        Args:
            params: as given to :meth:`init`.
            lr: the learning rate to look at, a number >= 0 or a 0-d array; None for the object's own.
                A step is about lr in size.

        Returns:
            The findings: elements that a step of this size or the weight decay cannot move, gradients whose
            moments vanish or overflow, moving averages that stop, coefficients that become 0.  A report
            without findings is false in a boolean context, and its text says what to do about each finding.

        Raises:
            ParameterError, TreeError, BackendError, HyperparameterError: as for :meth:`init`; or ``lr`` is
                a schedule, of which one value has to be given.

        Example:
            >>> import numpy as np
            >>> found = Adam(lr=1e-4).check_numerics({"w": np.full(3, 2.0, dtype=np.float16)})
            >>> found.findings[0].what, found.findings[0].path, found.findings[0].numbers["fraction"]
            ('step-lost', "params['w']", 1.0)
        """
        tree = ParamTree(params)
        tree.check_parameters()
        backend, table = tree.backend, DtypeTable(self, tree.backend)
        lr = fixed_lr(self, backend, lr)
        fixed = replace(self, lr=lr)
        rows = {
            1: coefficients(HOST, fixed, 1, lr, 1.0),
            MAX_CLOCK: coefficients(HOST, fixed, MAX_CLOCK, lr, 0.0),
        }
        leaves = [Leaf(tree.path(i), p, table.of(p)) for i, p in enumerate(tree.leaves) if p is not None]
        return report(fixed, backend, leaves, lr, rows)
