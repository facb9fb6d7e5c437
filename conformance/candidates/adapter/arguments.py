"""The constructor arguments of a candidate: which one is lr, b1, b2, eps, ..."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from adamcore import Adam
from adamcore.conformance.candidates.adapter.defaults import is_number, own_defaults
from adamcore.conformance.errors import CandidateError, SettingError
from adamcore.conformance.settings import parse_settings
from adamcore.conformance.types import Probe
from adamcore.dialects import for_class
from adamcore.errors import HyperparameterError

#: How constructors spell our hyperparameters, the likeliest first.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "lr": ("lr", "learning_rate", "stepsize", "step_size", "alpha", "eta"),
    "b1": ("b1", "beta1", "beta_1"),
    "b2": ("b2", "beta2", "beta_2"),
    "eps": ("eps", "epsilon", "e"),
    "eps_root": ("eps_root",),
    "weight_decay": ("weight_decay", "wd", "weight_decay_rate", "weight_decay_coefficient"),
    "momentum_decay": ("momentum_decay", "schedule_decay"),
    "lr_max": ("lr_max", "max_lr"),
}
PAIRS = ("betas", "beta")  #: arguments that take (b1, b2)
REQUIRED = ("lr", "b1", "b2", "eps")
DEFAULTS: dict[str, float] = {name: getattr(Adam(), name) for name in SPELLINGS}  #: those of adamcore.Adam


@dataclass(frozen=True)
class Arguments:
    """How to call one constructor.

    Attributes:
        names: the argument of each hyperparameter; "betas[0]" is the first half of a pair.
        extra: other arguments, given with ``--set``.
        lacks: hyperparameters that the constructor has no argument for.
        fixed: hyperparameters that ``--set`` fixes to one value for every probe.
        defaults: the numbers that the constructor takes where it is given none.
    """

    names: Mapping[str, str]
    extra: Mapping[str, Any]
    lacks: tuple[str, ...]
    fixed: Mapping[str, float]
    defaults: Mapping[str, float] = field(default_factory=dict)

    @property
    def written(self) -> dict[str, str]:
        """The other arguments as Python text."""
        return {name: repr(value) for name, value in self.extra.items()}

    def call(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        """Return the keyword arguments for these hyperparameters."""
        return self.settings(hyper, hyper) | dict(self.extra)

    def settings(self, names: Iterable[str], hyper: Mapping[str, float]) -> dict[str, Any]:
        """Return the arguments that have the hyperparameters ``names``, with the values of ``hyper``.

        >>> arguments = Arguments({"b1": "betas[0]", "b2": "betas[1]"}, {}, (), {})
        >>> arguments.settings(["b2"], {"b1": 0.5, "b2": 0.8})
        {'betas': (0.5, 0.8)}
        """
        found: dict[str, Any] = {}
        for ours in names:
            name, bracket, _ = self.names.get(ours, "").partition("[")
            if name:
                found[name] = (hyper["b1"], hyper["b2"]) if bracket else hyper[ours]
        return found

    def betas(self, arguments: Mapping[str, Any]) -> dict[str, float]:
        """Return b1 and b2 of these arguments if one argument has both.

        >>> arguments = Arguments({"b1": "betas[0]", "b2": "betas[1]"}, {}, (), {})
        >>> arguments.betas({"betas": (0.5, 0.8)}), arguments.betas({})
        ({'b1': 0.5, 'b2': 0.8}, {})
        """
        name, bracket, _ = self.names.get("b1", "").partition("[")
        return dict(zip(("b1", "b2"), arguments[name], strict=True)) if bracket and name in arguments else {}


def effective_hyper(
    hyper: Mapping[str, float], lacks: tuple[str, ...], fixed: Mapping[str, float]
) -> dict[str, float]:
    """Return a probe's hyperparameters as a candidate sees them: without those that it lacks.

    >>> effective_hyper({"lr": 0.5, "weight_decay": 0.2}, ("weight_decay",), {"lr": 1.0})
    {'lr': 1.0}
    """
    return {name: fixed.get(name, value) for name, value in hyper.items() if name not in lacks} | {
        name: value for name, value in fixed.items() if name not in hyper
    }


def judged_hyper(
    hyper: Mapping[str, float],
    lacks: tuple[str, ...],
    fixed: Mapping[str, float],
    defaults: Mapping[str, float] = DEFAULTS,
) -> dict[str, float]:
    """Return a probe's hyperparameters as the judge sees them.

    A candidate that does not take one of lr, b1, b2 and eps is held to the default of its claim, or else to
    that of :class:`adamcore.Adam`.  The others that it does not take are left out, so that they do nothing.

    >>> judged_hyper({"lr": 0.5, "eps": 0.1, "weight_decay": 0.2}, ("eps", "weight_decay"), {})
    {'lr': 0.5, 'b1': 0.9, 'b2': 0.999, 'eps': 1e-08}
    >>> judged_hyper({"lr": 0.5, "eps": 0.1}, ("eps",), {}, {"eps": 0.0})
    {'lr': 0.5, 'b1': 0.9, 'b2': 0.999, 'eps': 0.0}
    """
    whole = {name: defaults.get(name, DEFAULTS[name]) for name in REQUIRED}
    return whole | effective_hyper(hyper, lacks, fixed)


def complete_hyper(
    hyper: Mapping[str, float],
    lacks: tuple[str, ...],
    fixed: Mapping[str, float],
    defaults: Mapping[str, float] = DEFAULTS,
) -> dict[str, float]:
    """Return a probe's hyperparameters and the others, for a candidate that is given all of them.

    An lr_max of 0 stands for lr, as in :class:`adamcore.Adam`; the candidate is given that number.

    >>> complete_hyper({"lr": 0.5}, (), {}, {"weight_decay": 0.0, "lr_max": 0.0})
    {'weight_decay': 0.0, 'lr_max': 0.5, 'lr': 0.5}
    """
    whole = {**defaults, **effective_hyper(hyper, lacks, fixed)}
    if "lr_max" in whole:
        whole["lr_max"] = whole["lr_max"] or whole.get("lr", DEFAULTS["lr"])
    return whole


def served_probe(probe: Probe, lacks: tuple[str, ...], fixed: Mapping[str, float]) -> Probe:
    """Return the probe without the changes and groups of hyperparameters that a candidate does not take.

    >>> probe = Probe("X.1/x", "", (), (), {}, groups=({"b1": 0.5, "eps": 0.25}, {}))
    >>> served_probe(probe, ("eps",), {}).groups
    ({'b1': 0.5}, {})
    """
    if not probe.groups and not any(step.changes for step in probe.steps):
        return probe

    def taken(hyper: Mapping[str, Any]) -> dict[str, Any]:
        return {name: x for name, x in hyper.items() if name not in lacks and name not in fixed}

    steps = tuple(
        replace(step, changes=taken(step.changes) or None) if step.changes else step for step in probe.steps
    )
    groups = tuple(taken(group) for group in probe.groups)
    return replace(probe, steps=steps, groups=groups if any(groups) else ())


def map_arguments(
    constructor: Callable[..., Any],
    settings: Mapping[str, str],
    known: Mapping[str, str] | None = None,
    positional: int = 0,
    required: Sequence[str] = REQUIRED,
    usual: Mapping[str, str] | None = None,
) -> Arguments:
    """Find the constructor's argument for each hyperparameter.

    Args:
        constructor: a class or a factory.
        settings: the values of ``--set``.
        known: the argument names in the table of dialects, if the target has a row there.
        positional: the number of leading arguments that are not hyperparameters, such as torch's ``params``.
        required: hyperparameters that have to have an argument.
        usual: the names in the framework's own Adam, for a constructor that passes on all that it is given.

    Raises:
        SettingError: an argument for a required hyperparameter was not found, or ``--set`` gives one a
            value that it cannot have.
    """
    parameters = parameters_of(constructor, positional)
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters)
    open_ended = not parameters or passes_on
    mapped, values = parse_settings(settings)
    chosen = {ours: theirs for theirs, ours in mapped.items()}
    for ours, theirs in (known or {}).items():
        if ours in SPELLINGS and (theirs.partition("[")[0] in names or open_ended):
            chosen.setdefault(ours, theirs)
    for ours, spellings in SPELLINGS.items():
        for theirs in spellings:
            if theirs in names and theirs not in chosen.values():
                chosen.setdefault(ours, theirs)
    for i, ours in enumerate(("b1", "b2")):
        for pair in PAIRS:
            if pair in names:
                chosen.setdefault(ours, f"{pair}[{i}]")

    if usual is not None and passes_on and not {*required} & {*chosen}:
        chosen |= usual

    by_argument = {theirs.partition("[")[0]: ours for ours, theirs in chosen.items()}
    fixed: dict[str, float] = {}
    extra: dict[str, Any] = {}
    for name, value in values.items():
        if name in PAIRS and name in by_argument:
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise SettingError(f"--set {name}={value}: expected two numbers, such as (0.9, 0.999)")
            fixed |= {ours: fixed_value(name, ours, x) for ours, x in zip(("b1", "b2"), value, strict=True)}
        elif name in by_argument:
            fixed[by_argument[name]] = fixed_value(name, by_argument[name], value)
        elif name in SPELLINGS and name not in names and is_number(value):
            fixed[name] = fixed_value(name, name, value)  # a constant in the candidate's code
        elif name in names or open_ended:
            extra[name] = value
        else:
            raise SettingError(
                f"--set {name}: the constructor has no such argument; it has {names_of(names)}"
            )
    if missing := [ours for ours in required if ours not in chosen and ours not in fixed]:
        each = missing[0] if len(missing) == 1 else f"each of {', '.join(missing)}"
        naming = (
            f"name it with {' '.join(f'--set ARGUMENT=@{ours}' for ours in missing)}, or " if names else ""
        )
        wrapping = (
            "; if one of these holds them all, check a function of yours that has an argument for each, "
            "makes it, and returns the optimizer"
            if names and not chosen
            else ""
        )
        raise SettingError(
            f"no argument for {each} found among {names_of(names)}: {naming}"
            f"give the constants it uses with {' '.join(f'--set {ours}=VALUE' for ours in missing)}{wrapping}"
        )
    lacks = tuple(ours for ours in SPELLINGS if ours not in chosen and ours not in fixed)
    defaults = own_defaults({p.name: p.default for p in parameters}, chosen)
    return Arguments(chosen, extra, lacks, fixed, defaults)


def parameters_of(constructor: Callable[..., Any], positional: int = 0) -> list[inspect.Parameter]:
    """Return the arguments of a constructor but the leading ones; none if Python cannot tell them.

    A class that passes on ``**kwargs`` has the arguments of its bases too.

    >>> class Base:
    ...     def __init__(self, params, lr=1e-3, eps=1e-8): ...
    >>> class Mine(Base):
    ...     def __init__(self, params, lr=1e-2, **others): ...
    >>> [str(parameter) for parameter in parameters_of(Mine, 1)]
    ['lr=0.01', 'eps=1e-08', '**others']
    """
    own = signature_of(constructor)[positional:]
    found = {parameter.name: parameter for parameter in own}
    bases = [base for base in getattr(class_of(constructor), "__mro__", ()) if "__init__" in vars(base)]
    for base in bases[1:]:
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
            break
        own = signature_of(vars(base)["__init__"])[1 + positional :]
        found = {parameter.name: parameter for parameter in own} | found
    return list(found.values())


def class_of(found: Any) -> Any:
    """Return what a ``functools.partial`` calls, or the object itself if it is none.

    >>> class_of(partial(partial(int), base=2)) is class_of(int) is int
    True
    """
    while isinstance(found, partial):
        found = found.func
    return found


def partial_options(found: Any) -> dict[str, str]:
    """Return the arguments that a ``functools.partial`` gives, as ``--set`` gives them, but hyperparameters.

    A hyperparameter that it gives is a default, as a constructor has them: the probes have their own values.

    >>> partial_options(partial(dict, amsgrad=True, eps=1e-6))
    {'amsgrad': 'True'}
    """
    spelled = {*PAIRS, *(name for names in SPELLINGS.values() for name in names)}
    given = found.keywords if isinstance(found, partial) else {}
    plain = {k: x for k, x in given.items() if k not in spelled and isinstance(x, (bool, int, float, str))}
    return {name: repr(value) for name, value in plain.items()}


def signature_of(function: Any) -> list[inspect.Parameter]:
    """Return the arguments of a function; none if Python cannot tell them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def fixed_value(name: str, ours: str, value: object) -> float:
    """Return the value that ``--set NAME=VALUE`` gives our hyperparameter ``ours``.

    Raises:
        SettingError: it is no number, or out of the hyperparameter's range.

    >>> fixed_value("beta_1", "b1", 0)
    0.0
    """
    if not is_number(value):
        raise SettingError(f"--set {name}={value}: expected a number")
    try:
        given: dict[str, Any] = {ours: float(value)}
        Adam(**given)
    except (HyperparameterError, OverflowError) as error:
        raise SettingError(f"--set {name}={value}: {error}") from error
    return float(value)


def own_dialect(found: Any, extra: Mapping[str, Any] | None = None) -> str | None:
    """Return the dialect that a candidate claims, or None if it claims none.

    It is the argument ``dialect`` that ``--set`` gives, else the attribute ``dialect``, else the default of
    the constructor's argument ``dialect``, else the dialect of the nearest base that has one.

    Raises:
        CandidateError: the attribute is no string.
    """
    given = (extra or {}).get("dialect")
    if isinstance(given, str):
        return given
    attribute = getattr(found, "dialect", None)
    if attribute is not None:
        if not isinstance(attribute, str):
            raise CandidateError(f"its attribute dialect is {type(attribute).__name__}, expected a name")
        return attribute
    for argument in parameters_of(found):
        if argument.name == "dialect" and isinstance(argument.default, str):
            return argument.default
    return next((row.name for row in map(for_class, getattr(class_of(found), "__mro__", ())) if row), None)


def names_of(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
