"""The signature of a kernel: which of its arguments is the gradient, which one the first moment, and so on.

Arguments are known by their names.  The *role* of an argument is what it stands for: "p", "g", "m", "v",
"v_max", "t", a hyperparameter, or one of the others in :data:`SPELLED`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adamcore.conformance.candidates.adapter.arguments import PAIRS, REQUIRED, SPELLINGS, fixed_value
from adamcore.conformance.candidates.adapter.defaults import is_number
from adamcore.conformance.errors import SettingError, SignatureError
from adamcore.conformance.settings import parse_settings
from adamcore.dialects import OPTIONS

ARRAYS: dict[str, tuple[str, ...]] = {
    "p": ("p", "param", "params", "parameter", "parameters", "self", "w", "weight", "weights", "theta"),
    "g": ("g", "grad", "grads", "gradient", "gradients"),
    "m": ("m", "exp_avg", "exp_avgs", "mu", "m1", "moment1", "first_moment"),
    "v": ("v", "exp_avg_sq", "exp_avg_sqs", "nu", "m2", "moment2", "second_moment"),
    "v_max": ("v_max", "vmax", "max_exp_avg_sq", "max_exp_avg_sqs", "nu_max"),
    "t": ("t", "step", "steps", "state_step", "state_steps", "count", "iteration"),
}
"""How kernels spell the arrays and the clock; the plural of the gradient is tried as a list first."""

OTHERS: dict[str, tuple[str, ...]] = {
    "bc1": ("bc1", "bias_correction1", "bias_correction_1"),
    "bc2": ("bc2", "bias_correction2", "bias_correction_2"),
    "bc2_sqrt": ("bc2_sqrt", "bias_correction2_sqrt", "bias_correction_2_sqrt"),
    "b1_power": ("b1_power", "beta1_power", "b1_t", "beta1_t"),
    "b2_power": ("b2_power", "beta2_power", "b2_t", "beta2_t"),
    "scale": ("grad_scale", "loss_scale", "scale"),
    "inv_scale": ("inv_scale", "inv_grad_scale", "inv_loss_scale"),
    "found_inf": ("found_inf", "noop_flag"),
    "n": ("n", "numel", "n_elements"),
    "h": ("h", "hyper"),
    "betas": PAIRS,
}
"""How kernels spell ``1-b**t``, its root, ``b**t``, the loss scale, the flag, the number of elements, and all
hyperparameters at once."""

SPELLED = ARRAYS | SPELLINGS | OTHERS
ROLE_OF: dict[str, str] = {name: role for role, names in SPELLED.items() for name in names}
FLAGS = ("amsgrad", "maximize")  #: arguments that choose the claim, and are False if nobody gives them
NEEDED = ("p", "g", "m", "v")  #: what a kernel of Adam has to take
WRITE_ADAPTER = (
    "or write an adapter of a line, such as "
    "adamcore.conformance.kernel(lambda p, g, m, v, t, h: my_adam(p, g, m, v, t, h.lr, h.b1, h.b2, h.eps))"
)


@dataclass(frozen=True)
class Parameter:
    """One argument of a kernel."""

    name: str
    by_name: bool = False  #: True if it is passed by its name
    required: bool = True
    default: Any = None  #: its default, if it is not required


@dataclass(frozen=True)
class Signature:
    """The arguments of a kernel, and what each of them stands for.

    Attributes:
        parameters: those with a role or with a value of their own, in order.
        roles: the role of each argument, by its name.
        values: what arguments without a role are given: those of ``--set``.
        fixed: hyperparameters that ``--set`` fixes to one value for every probe.
        options: what ``--set`` says of the claim, as ``amsgrad`` does, whether an argument has it or not.
        lists: whether the kernel takes lists of arrays; None: as the name of its gradient says.
    """

    parameters: tuple[Parameter, ...]
    roles: Mapping[str, str]
    values: Mapping[str, Any]
    fixed: Mapping[str, float]
    options: Mapping[str, Any]
    lists: bool | None = None

    def takes(self, *roles: str) -> bool:
        """Return whether an argument has one of these roles."""
        return any(role in roles for role in self.roles.values())

    @property
    def of_lists(self) -> bool:
        """Whether the kernel takes lists of arrays, as ``torch._fused_adam_`` does."""
        named_so = any(role == "g" and name.endswith("s") for name, role in self.roles.items())
        return named_so if self.lists is None else self.lists

    @property
    def hyper(self) -> dict[str, str]:
        """The argument of each hyperparameter; ``betas[0]`` is half of a pair."""
        named = {role: name for name, role in self.roles.items() if role in SPELLINGS}
        for name, role in self.roles.items():
            if role == "betas":
                named |= {"b1": f"{name}[0]", "b2": f"{name}[1]"}
        return named


def parameters_of(function: Callable[..., Any], declared: str | None = None) -> list[Parameter]:
    """Return the arguments of a function: as declared, as its schema says, or as Python knows them.

    Args:
        function: a Python function, an operator of ``torch.ops``, or a builtin function of torch.
        declared: the names of the arguments in order, as between the brackets of a ``def``.

    Raises:
        SignatureError: nothing is known of its arguments.

    >>> [each.name for each in parameters_of(pow, "p, g, m, v, *, lr")]
    ['p', 'g', 'm', 'v', 'lr']
    """
    if declared is not None:
        return declared_parameters(declared)
    schema = schema_of(function)
    if schema is not None:
        return [
            Parameter(a.name, bool(a.kwarg_only), not a.has_default_value(), a.default_value)
            for a in schema.arguments
        ]
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise SignatureError(
            f"{name_of(function)} has no signature that Python can read: declare it, as in "
            'adamcore.conformance.kernel(function, signature="p, g, m, v, t, lr, beta1, beta2, eps")'
        ) from error
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        raise SignatureError(
            f"{name_of(function)} takes *args, which have no names: declare them, as in "
            'adamcore.conformance.kernel(function, signature="p, g, m, v, t, lr, beta1, beta2, eps")'
        )
    return [
        Parameter(
            p.name,
            p.kind is p.KEYWORD_ONLY,
            p.default is p.empty,
            None if p.default is p.empty else p.default,
        )
        for p in found
        if p.kind is not p.VAR_KEYWORD
    ]


def declared_parameters(text: str) -> list[Parameter]:
    """Return the arguments that a text declares.

    Raises:
        SignatureError: the text is no list of arguments.
    """
    try:
        given = ast.parse(f"def kernel({text}): ...").body[0]
        assert isinstance(given, ast.FunctionDef)
    except (SyntaxError, AssertionError) as error:
        raise SignatureError(
            f"signature={text!r}: expected names of arguments, such as 'p, g, m, v, t, lr, beta1, beta2, eps'"
        ) from error
    a = given.args
    plain = [*a.posonlyargs, *a.args]
    optional = len(a.defaults)
    found = [Parameter(x.arg, False, k < len(plain) - optional) for k, x in enumerate(plain)]
    return found + [
        Parameter(x.arg, True, default is None)
        for x, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)
    ]


def schema_of(function: Any) -> Any:
    """Return the schema of an operator of torch, or None if the function is none."""
    for each in (function, getattr(function, "default", None), getattr(function, "_opoverload", None)):
        schema = getattr(each, "_schema", None)
        if schema is not None and hasattr(schema, "arguments"):
            return schema
    if inspect.isbuiltin(function) and (getattr(function, "__module__", None) or "").startswith("torch"):
        import torch

        operator = getattr(torch.ops.aten, function.__name__, None)
        return None if operator is None else operator.default._schema
    return None


def read_signature(
    function: Callable[..., Any],
    settings: Mapping[str, str],
    declared: str | None = None,
    required: Sequence[str] = REQUIRED,
) -> Signature:
    """Return the signature of a kernel with the role of each argument.

    Args:
        function: the kernel.
        settings: the values of ``--set``.
        declared: the names of its arguments, if Python cannot tell them.
        required: hyperparameters that have to have an argument or a value in ``settings``.

    Raises:
        SignatureError: an argument has no known name, or one that a kernel of Adam needs is not there.
        SettingError: ``--set`` gives an argument that it does not have, or no number.
    """
    parameters = parameters_of(function, declared)
    mapped, values = parse_settings(settings)
    names = [p.name for p in parameters]
    roles: dict[str, str] = {}
    for p in parameters:
        role = mapped.get(p.name) or ROLE_OF.get(p.name)
        if role is None or p.name in values or (role in roles.values() and not p.required):
            continue
        if role in roles.values():
            other = next(name for name, known in roles.items() if known == role)
            raise SignatureError(wrong(function, names, f"both {other} and {p.name} stand for {role}"))
        roles[p.name] = role
    given = {p.name: values[p.name] for p in parameters if p.name in values}
    options = {name: value for name, value in values.items() if name in OPTIONS}
    given |= {p.name: False for p in parameters if p.name in FLAGS and p.required and p.name not in given}
    fixed = fixed_values(values, names)
    if unknown := [n for n in (*values, *mapped) if n not in names and n not in options and n not in fixed]:
        raise SettingError(f"--set {unknown[0]}: the kernel has no such argument; it has {', '.join(names)}")
    if strange := [p.name for p in parameters if p.required and p.name not in roles and p.name not in given]:
        raise SignatureError(wrong(function, names, f"nothing is known of {', '.join(strange)}"))
    if missing := [role for role in NEEDED if role not in roles.values()]:
        raise SignatureError(wrong(function, names, f"no argument stands for {', '.join(missing)}", missing))
    fixed |= {
        ROLE_OF[n]: fixed_value(n, ROLE_OF[n], x) for n, x in given.items() if ROLE_OF.get(n) in SPELLINGS
    }
    used = tuple(p for p in parameters if p.name in roles or p.name in given)
    signature = Signature(used, roles, given, fixed, options)
    if not signature.takes("h"):
        require(signature, names, required)
    return signature


def fixed_values(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Return the hyperparameters that ``--set`` gives by our name: constants in the kernel's code."""
    ours = {n: x for n, x in values.items() if n in SPELLINGS and n not in names and is_number(x)}
    return {name: fixed_value(name, name, value) for name, value in ours.items()}


def require(
    signature: Signature, names: Sequence[str], required: Sequence[str], read: Sequence[str] = ()
) -> None:
    """Raise :class:`SettingError` if a required hyperparameter has neither an argument nor a value."""
    for ours in required:
        if ours not in signature.hyper and ours not in signature.fixed and ours not in read:
            raise SettingError(
                f"no argument for {ours} found among {', '.join(names)}: name it with "
                f"--set ARGUMENT=@{ours}, or give the constant it uses with --set {ours}=VALUE"
            )


def wrong(function: Any, names: Sequence[str], why: str, roles: Iterable[str] = SPELLED) -> str:
    """Return what is wrong with a signature: what came, what was expected, and the known names of roles."""
    known = "; ".join(f"{role}: {', '.join(SPELLED[role])}" for role in roles)
    return (
        f"{name_of(function)}({', '.join(names)}): {why}; expected arguments for {', '.join(NEEDED)}, "
        f"hyperparameters, and no required argument of another name. Known names are {known}. "
        f"Rename the argument, give it a value with --set NAME=VALUE, {WRITE_ADAPTER}"
    )


def role_of(name: str) -> str:
    """Return the role of a name, or the name itself if it is not known."""
    return ROLE_OF.get(name, name)


def name_of(function: Any) -> str:
    """Return the name of a function for a message."""
    return str(getattr(function, "__name__", None) or type(function).__name__)
