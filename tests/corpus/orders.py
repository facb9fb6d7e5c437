"""Right Adams in random orders of evaluation, written by a generator.

:func:`traced` runs the definition on expressions, a :class:`~rewriting.Rewriter` writes these in another
form, and :func:`reordered` makes an Adam of the corpus of that.

Scalars are formed in float64, so that each is rounded once where it meets an array.  An average is formed of
two weights or from either end, as ``m - (1-b)*m + (1-b)*g``; a lerp goes from the nearer one, as torch's.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from adams import Adam
from flat import A
from rewriting import HYPER, LEAVES, SCALARS, Rewriter, is_scalar, leaf
from sixteen import Sixteen

from adamcore.conformance.claims import axes_of, claim_of_dialect
from adamcore.definition import coefficients, update
from adamcore.tracing import FORMS, Expression, Namespace

# The definition as expressions -------------------------------------------------------------------


class Symbols:
    """The :class:`~adamcore.definition.Numbers` that name what a candidate has at hand."""

    def number(self, value: Expression) -> Expression:
        return value

    def sqrt(self, x: Expression) -> Expression:
        return Namespace.sqrt(x)

    def power(self, base: float, k: Expression, rate: Expression) -> Expression:
        return Expression("power", (leaf(repr(base)), k, rate))

    def successor(self, t: Expression) -> Expression:
        return Expression("successor", (t,))

    def complement(self, b: Expression) -> Expression:
        return leaf(f"w{b.args[0][1:]}")

    def complement_power(self, b: Expression, t: Expression) -> Expression:
        after = "_after" if t.op == "successor" else ""
        return leaf(f"c{b.args[0][1:]}{after}")

    def keep(self, kept: Expression, weight: Expression) -> Expression:
        return kept


class Traced(NamedTuple):
    """One step as expressions: each result by name in the order in which they are formed."""

    results: dict[str, Expression]
    complements: dict[Expression, Expression]  #: of b1, b2 and 1 - decay: what each lacks to 1


def traced(axes: Mapping[str, Any], *, eps_root: bool = False, parts: int = 1) -> Traced:
    """Return the step of an Adam with these axes; with two parts, that of the parts of a complex array."""
    adam: Any = SimpleNamespace(**axes, **{name: leaf(name) for name in HYPER})
    adam.eps_root = leaf("eps_root") if eps_root else 0.0
    numbers: Any = Symbols()
    c = coefficients(numbers, adam, leaf("t"), leaf("lr"), leaf("mu"))
    given = [(leaf(f"p{k}"), leaf(f"g{k}"), leaf(f"m{k}")) for k in range(parts)]
    moved, v, top = update(Namespace, adam, c, given, leaf("v"), leaf("top"))
    results: dict[str, Expression] = {}
    known: dict[Expression, Expression] = {}

    def add(name: str, x: Expression) -> None:
        results[name] = replaced(x, known)
        known.setdefault(x, leaf(name))

    for k, (_, m) in enumerate(moved):
        add(f"new_g{k}", m.args[1].args[1])  # of b1*m + w1*g
        add(f"new_m{k}", m)
    add("new_v", v)
    if axes["amsgrad"] != "none":
        assert top is not None
        add("new_top", top)
    if c.mu_product is not None and axes["nesterov"] == "dozat":
        after: Any = coefficients(numbers, adam, numbers.successor(leaf("t")), leaf("lr"), leaf("mu"))
        add("schedule", c.mu_product.args[1])
        add("schedule_after", after.mu_product.args[1])
        add("new_mu", c.mu_product)
    for k, (p, _) in enumerate(moved):
        add(f"new_p{k}", p)
    complements = {leaf("b1"): leaf("w1"), leaf("b2"): leaf("w2")}
    if c.keep_p is not None:
        complements[replaced(c.keep_p, known)] = replaced(c.decay, known)
    return Traced(results, complements)


def replaced(x: Any, known: Mapping[Expression, Expression]) -> Any:
    """Return ``x`` with what is known already by its name."""
    if not isinstance(x, Expression) or x in known:
        return known.get(x, x) if isinstance(x, Expression) else leaf(repr(x))
    return x if x.op in LEAVES else Expression(x.op, tuple(replaced(arg, known) for arg in x.args))


# The form as a function --------------------------------------------------------------------------

FUNCTIONS = ("fma", "lerp", "addcmul", "addcdiv", "maximum")
TEXTS = FORMS | {"successor": "{} + 1"}


def text_of(x: Expression) -> str:
    """Return an expression as Python writes it; ``xp`` has the functions of arrays."""
    if x.op == "input":
        return str(x.args[0])
    args = [text_of(arg) for arg in x.args]
    if x.op in FUNCTIONS or (x.op == "sqrt" and not is_scalar(x)):
        return f"xp.{x.op}({', '.join(args)})"
    text = TEXTS[x.op].format(*args)
    return text if x.op in ("sqrt", "power") else f"({text})"


def form_of(step: Traced, seed: int) -> dict[str, str]:
    """Return the results of a step in the form of this seed, as texts."""
    rewriter = Rewriter(random.Random(seed), step.complements)
    return {name: text_of(rewriter.form(x)) for name, x in step.results.items()}


Form = Callable[..., dict[str, Any]]  #: from ``xp`` and the values by name to the results by name


def compiled(form: Mapping[str, str]) -> Form:
    """Return a form as a function."""
    arrays = [f"{name}{k}" for name in ("p", "g", "m") for k in (0, 1)]
    given = ", ".join(f"{name}=None" for name in (*SCALARS, *arrays, "v", "top"))
    lines = [f"def step(xp, {given}):", *(f"    {name} = {text}" for name, text in form.items())]
    lines.append(f"    return {{{', '.join(f'{name!r}: {name}' for name in form)}}}")
    space: dict[str, Any] = {"sqrt": math.sqrt, "pow": math.pow}
    exec("\n".join(lines), space)
    function: Form = space["step"]
    return function


class NumpyForms:
    """The functions of a form in NumPy."""

    sqrt, maximum = staticmethod(np.sqrt), staticmethod(np.maximum)

    @staticmethod
    def array(x: A) -> Any:
        return x

    @staticmethod
    def fma(a: float | A, x: A, y: A) -> A:
        """``a*x + y``, rounded once."""
        wide = np.float64 if x.dtype == np.float32 else np.longdouble
        factor = np.asarray(a, dtype=x.dtype).astype(wide)
        once: A = (factor * x.astype(wide) + y.astype(wide)).astype(x.dtype)
        return once

    @staticmethod
    def lerp(old: A, new: A, weight: float, keep: float) -> A:
        """From the nearer end, as torch.lerp."""
        return old + weight * (new - old) if weight < 0.5 else new - keep * (new - old)

    @staticmethod
    def addcmul(x: A, a: A, b: A, k: float) -> A:
        return x + k * a * b

    @staticmethod
    def addcdiv(x: A, a: A, b: A, k: float) -> A:
        return x + k * a / b


# The form as an Adam -----------------------------------------------------------------------------


def reordered(base: type[Adam], seed: int, module: str, xp: Any = NumpyForms, **members: Any) -> type[Adam]:
    """Return a subclass of an Adam of the corpus with its step in the form of this seed.

    Args:
        base: the Adam, of which everything but one array's step is kept.
        seed: what the form is drawn with.
        module: the name of the module that the class is for.
        xp: the functions of the form, and ``array``, which makes an array for them.
        members: further members of the class.
    """
    axes = axes_of(claim_of_dialect(base.dialect, base.options).adam)
    modulus = axes["complex"] == "modulus"
    forms = [form_of(traced(axes, eps_root="eps_root" in base.hyper, parts=parts), seed) for parts in (1, 2)]
    real, two_parts = map(compiled, forms)

    def one(self: Any, i: int, g: A) -> None:
        t = self.time(i)
        scalars = {name: getattr(self, name) for name in ("lr", "b1", "b2", "eps", "eps_root")}
        scalars |= {"weight_decay": self.wd, "momentum_decay": self.md, "t": t, "mu": self.mu[i]}
        scalars |= {"w1": 1 - self.b1, "w2": 1 - self.b2}
        scalars |= {"c1": 1 - self.b1**t, "c2": 1 - self.b2**t, "c1_after": 1 - self.b1 ** (t + 1)}
        pairs = modulus and self.dtypes[i].kind == "c"
        width = 2 if pairs else 1
        columns = {"p": self.p[i], "g": g, "m": self.m[i]}
        arrays = {f"{name}{k}": x[k::width] for name, x in columns.items() for k in range(width)}
        arrays |= {"v": self.v[i][::width], "top": self.top[i][::width]}
        given = {name: xp.array(x) for name, x in arrays.items()}
        new = (two_parts if pairs else real)(xp, **scalars, **given)
        for name, mine in (("p", self.p), ("m", self.m)):
            parts = [np.asarray(new[f"new_{name}{k}"]) for k in range(width)]
            mine[i] = np.stack(parts, axis=-1).reshape(-1)
        self.v[i] = np.repeat(np.asarray(new["new_v"]), width)
        self.top[i] = np.repeat(np.asarray(new.get("new_top", arrays["top"])), width)
        self.mu[i] = new.get("new_mu", self.mu[i])

    about = f"p = {readable(forms[0]['new_p0'])}"
    return type(
        f"{base.__name__}{seed}", (base,), {"one": one, "__doc__": about, "__module__": module, **members}
    )


def reordered_narrow(base: type[Sixteen], seed: int, module: str) -> type[Sixteen]:
    """Return a subclass of an Adam in 16 bits with its step, in float32, in the form of this seed."""
    form = form_of(traced(axes_of(claim_of_dialect(base.dialect, {}).adam)), seed)
    step = compiled(form)

    def one(self: Any, i: int, g: A) -> None:
        t = self.time(i)
        scalars = {name: getattr(self, name) for name in ("lr", "b1", "b2", "eps")}
        scalars |= {"weight_decay": self.wd, "t": t, "w1": 1 - self.b1, "w2": 1 - self.b2}
        scalars |= {"c1": 1 - self.b1**t, "c2": 1 - self.b2**t}
        m, v = (x[i].astype(np.float32) for x in (self.m, self.v))
        new = step(NumpyForms, **scalars, p0=self.load(i), g0=g, m0=m, v=v)
        self.m[i], self.v[i] = self.keep_first(new["new_m0"]), self.keep_second(new["new_v"])
        self.store(i, new["new_p0"])

    about = f"p = {readable(form['new_p0'])}"
    return type(f"{base.__name__}{seed}", (base,), {"one": one, "__doc__": about, "__module__": module})


def readable(text: str) -> str:
    """Return a form as people write it: the step's m, v and g without the marks of the generator."""
    outer = text[1:-1] if text.startswith("(") and balanced(text[1:-1]) else text
    return re.sub(
        r"new_(p|g|m|v|mu|top)\b|new_([pgm])0|xp\.", lambda found: found[1] or found[2] or "", outer
    )


def balanced(text: str) -> bool:
    """True if no parenthesis closes that the text has not opened."""
    depth = 0
    for x in text:
        depth += (x == "(") - (x == ")")
        if depth < 0:
            return False
    return True
