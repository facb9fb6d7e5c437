"""Right Adams in random orders of evaluation, written by a generator.

:func:`traced` runs the definition on expressions.  :class:`Rewriter` writes these expressions in another
form that is the same function of real numbers: sums and products in another order, a factor in front of a
sum or inside it, one root or two, reciprocals, one rounded weight or two, lerp, addcmul, addcdiv and fused
multiply-add.  :func:`reordered` makes an Adam of the corpus of that.

Every form belongs to the family of docs/tolerance.md.  The rewriter therefore

- divides by no number that may be 0, such as lr;
- moves only bias corrections into a sum by division, or out of it;
- forms scalars in float64, so that each is rounded once where it meets an array;
- never forms ``new - b*(new - old)`` with b > 1/2, which cancels what it has just added;
- multiplies a gradient with itself, and with a weight before or after, but with no root of a weight.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from adams import Adam
from flat import A

from adamcore.conformance.claims import axes_of, claim_of_dialect
from adamcore.definition import coefficients, update
from adamcore.tracing import FORMS, Expression, Namespace

Term = tuple[int, Expression]  #: a sign and an expression

LEAVES = ("input", "power", "successor")
HYPER = ("lr", "b1", "b2", "eps", "weight_decay", "momentum_decay")
ONE = Expression("input", ("1.0",))


def leaf(name: str) -> Expression:
    return Expression("input", (name,))


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
        later = coefficients(numbers, adam, numbers.successor(leaf("t")), leaf("lr"), leaf("mu"))
        add("schedule", c.mu_product.args[1])
        add("schedule_after", later.mu_product.args[1])
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


def is_scalar(x: Expression) -> bool:
    """True if no array is in it."""
    if x.op == "input":
        return not x.args[0][0].isalpha() or x.args[0] in SCALARS
    return all(is_scalar(arg) for arg in x.args)


SCALARS = (
    *HYPER, "eps_root", "t", "mu", "schedule", "schedule_after", "new_mu", "w1", "w2", "c1", "c2", "c1_after",
)  # fmt: skip
CORRECTIONS = tuple(map(leaf, ("c1", "c2", "c1_after")))


# Another form of the same real function ----------------------------------------------------------


Factor = tuple[Expression, int]  #: an expression, and 1, or -1 where it is below the line


class Product(NamedTuple):
    """A sign and the factors of a product."""

    sign: int
    factors: list[Factor]

    def value(self) -> Expression:
        """Return it as an expression in some order."""
        result = ONE
        for x, side in sorted(self.factors, key=lambda factor: -factor[1]):
            result = (x if result is ONE else result * x) if side > 0 else result / x
        return result if self.sign > 0 else -result

    def without(self, item: Expression, side: int = 1) -> Product:
        """Return it without one factor."""
        return Product(self.sign, without(self.factors, (item, side)))


def product_of(x: Expression) -> Product:
    """Return an expression as its factors, of which those above and below the line are cancelled."""
    sign, left = 1, [(x, 1)]
    factors: list[Factor] = []
    while left:
        x, side = left.pop()
        if x.op == "neg":
            sign, left = -sign, [*left, (x.args[0], side)]
        elif x.op in ("mul", "div"):
            left += [(as_leaf(x.args[0]), side), (as_leaf(x.args[1]), side if x.op == "mul" else -side)]
        elif (x, -side) in factors:
            factors.remove((x, -side))
        elif x != ONE:
            factors.append((x, side))
    return Product(sign, factors)


def as_leaf(x: Any) -> Expression:
    return x if isinstance(x, Expression) else leaf(repr(x))


def terms_of(x: Expression, sign: int = 1) -> list[Term]:
    """Return the terms of a sum."""
    if x.op == "neg":
        return terms_of(x.args[0], -sign)
    if x.op not in ("add", "sub"):
        return [(sign, x)]
    return terms_of(x.args[0], sign) + terms_of(x.args[1], sign if x.op == "add" else -sign)


def sum_of(terms: Sequence[Term]) -> Expression:
    """Return terms as an expression, in some order."""
    (sign, result), *rest = terms
    result = result if sign > 0 else -result
    for sign, x in rest:
        result = result + x if sign > 0 else result - x
    return result


def is_sum(x: Expression) -> bool:
    """True for a sum of arrays; a sum of scalars is left as it is."""
    return x.op in ("add", "sub") and not is_scalar(x)


def times(x: Expression, k: Expression, side: int) -> Expression:
    """Return ``x * k``, or ``x / k`` if ``side`` is below 0."""
    return x * k if side > 0 else x / k


def is_nonzero(x: Expression) -> bool:
    """True for a bias correction, or the root of one."""
    return x in CORRECTIONS or (x.op == "sqrt" and x.args[0] in CORRECTIONS)


def without(items: list[Factor], item: Factor) -> list[Factor]:
    left = list(items)
    left.remove(item)
    return left


class Rewriter:
    """Writes expressions in a random form."""

    def __init__(self, rng: random.Random, complements: Mapping[Expression, Expression]) -> None:
        self.rng, self.complements = rng, complements

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def form(self, x: Expression, fuel: int = 4) -> Expression:
        """Return a random form of ``x``; ``fuel`` is how deep factors are still moved."""
        if x.op in LEAVES or is_scalar(x):
            return x
        if x.op in ("add", "sub"):
            return self.signed(self.sum(terms_of(x), fuel))
        if x.op == "maximum":
            args = [self.form(arg, fuel) for arg in x.args]
            self.rng.shuffle(args)
            return Expression("maximum", tuple(args))
        return self.signed(self.product(product_of(x), fuel))

    def signed(self, term: Term) -> Expression:
        return term[1] if term[0] > 0 else -term[1]

    # Products

    def product(self, x: Product, fuel: int) -> Term:
        for _ in range(self.rng.randrange(4) if fuel else 0):
            moved = list(self.moves(x))
            x = product_of(self.rng.choice(moved).value()) if moved else x
        inner = max(fuel - 1, 0)
        if len(x.factors) == 1 and x.factors[0][1] > 0 and is_sum(x.factors[0][0]):
            sign, value = self.sum(terms_of(x.factors[0][0]), inner)
            return sign * x.sign, value
        value, side = self.tree([(self.factor(f, inner), side) for f, side in x.factors])
        return x.sign, value if side > 0 else ONE / value

    def factor(self, x: Expression, fuel: int) -> Expression:
        if x.op == "sqrt" and not is_scalar(x):
            return Namespace.sqrt(self.form(x.args[0], fuel))
        return self.form(x, fuel)

    def tree(self, items: list[tuple[Expression, int]]) -> tuple[Expression, int]:
        """Return a product in a random order, and 1, or -1 for its reciprocal."""
        if len(items) == 1:
            return items[0]
        items = self.rng.sample(items, len(items))
        cut = self.rng.randrange(1, len(items))
        (a, up), (b, down) = self.tree(items[:cut]), self.tree(items[cut:])
        if up == down:
            return a * b, up
        a, b = (a, b) if up > 0 else (b, a)
        return (a * (ONE / b) if self.chance(0.2) else a / b), 1

    def moves(self, x: Product) -> Iterator[Product]:
        """Yield the products that differ in one factor: where it stands, or in which root."""
        for s, side in x.factors:
            rest = x.without(s, side)
            if is_sum(s):
                terms = terms_of(s)
                for k, below in rest.factors:
                    if is_scalar(k) and (below == side or side > 0 or is_nonzero(k)):
                        more = sum_of([(sign, times(t, k, below * side)) for sign, t in terms])
                        left = rest.without(k, below)
                        yield Product(x.sign, [*left.factors, (more, side)])
                for k, below in self.corrections(terms):
                    less = sum_of([(sign, times(t, k, -below)) for sign, t in terms])
                    yield Product(x.sign, [*rest.factors, (less, side), (k, below * side)])
            if s.op == "sqrt" and not is_scalar(s):
                inner = product_of(s.args[0])
                for k, below in rest.factors:
                    if k.op == "sqrt" and is_scalar(k):
                        joined = Namespace.sqrt(times(inner.value(), k.args[0], below * side))
                        left = rest.without(k, below)
                        yield Product(x.sign, [*left.factors, (joined, side)])
                for k, below in inner.factors:
                    if k in CORRECTIONS:
                        root = Namespace.sqrt(inner.without(k, below).value())
                        part = (Namespace.sqrt(k), below * side)
                        yield Product(x.sign, [*rest.factors, (root, side), part])

    def corrections(self, terms: Sequence[Term]) -> Iterator[Factor]:
        """Yield the corrections that are factors of a term."""
        for _, t in terms:
            yield from (factor for factor in product_of(t).factors if is_nonzero(factor[0]))

    # Sums

    def sum(self, terms: Sequence[Term], fuel: int) -> Term:
        lerp = self.lerp(terms, fuel)
        if lerp is not None and self.chance(0.2):
            return 1, lerp
        return self.group([each for sign, x in terms for each in self.split(sign, x)], fuel)

    def lerp(self, terms: Sequence[Term], fuel: int) -> Expression | None:
        """Return ``b*old + w*new`` as one lerp, or None if the terms are something else."""
        if len(terms) != 2 or any(sign < 0 for sign, _ in terms):
            return None
        for (_, a), (_, b) in (terms, terms[::-1]):
            old, new = product_of(a), product_of(b)
            for keep, weight in self.complements.items():
                if (keep, 1) in old.factors and (weight, 1) in new.factors:
                    ends = (old.without(keep).value(), new.without(weight).value())
                    start, end = (self.form(value, max(fuel - 1, 0)) for value in ends)
                    return Expression("lerp", (start, end, weight, keep))
        return None

    def split(self, sign: int, x: Expression) -> list[Term]:
        """Return ``b*x`` as ``x - w*x`` in half of all cases."""
        factors = product_of(x)
        for keep, weight in self.complements.items():
            average = len(factors.factors) == 2  # a factor b1 of a look-ahead is no average
            if average and (keep, 1) in factors.factors and self.chance(0.5):
                rest = factors.without(keep).value()
                return [(sign, rest), (-sign, rest * weight)]
        return [(sign, x)]

    def group(self, terms: list[Term], fuel: int) -> Term:
        """Return a sum in a random order."""
        if len(terms) == 1:
            sign, x = terms[0]
            mine, value = self.sum(terms_of(x), fuel) if is_sum(x) else self.product(product_of(x), fuel)
            return sign * mine, value
        common = self.common(terms)
        if common and self.chance(0.5):
            k = self.rng.choice(common)
            inside = sum_of([(sign, product_of(x).without(k).value()) for sign, x in terms])
            return self.product(Product(1, [(k, 1), (inside, 1)]), 0)
        terms = self.rng.sample(terms, len(terms))
        cut = self.rng.randrange(1, len(terms))
        a, b = self.group(terms[:cut], fuel), self.group(terms[cut:], fuel)
        return self.joined(a, b)

    def common(self, terms: Sequence[Term]) -> list[Expression]:
        """Return the scalars that are factors of every term."""
        first, *rest = [product_of(x).factors for _, x in terms]
        return [k for k, side in first if side > 0 and is_scalar(k) and all((k, 1) in other for other in rest)]

    def joined(self, a: Term, b: Term) -> Term:
        """Return the sum of two terms, some of them by one operation of more arguments."""
        a, b = (a, b) if self.chance(0.5) else (b, a)
        if is_scalar(a[1]) or is_scalar(b[1]):
            return self.added(a, b)
        fused = [f for f in (self.fused(a, b), self.fused(b, a)) if f is not None]
        return self.rng.choice(fused) if fused and self.chance(0.4) else self.added(a, b)

    def added(self, a: Term, b: Term) -> Term:
        if a[0] == b[0]:
            return a[0], a[1] + b[1]
        return (1, a[1] - b[1]) if a[0] > 0 else (1, b[1] - a[1])

    def fused(self, a: Term, b: Term) -> Term | None:
        """Return ``a + b`` as fma, addcmul or addcdiv if b is a product."""
        (sign, x), (other, y) = a, b
        if y.op == "mul":
            k, z = y.args if is_scalar(y.args[0]) else y.args[::-1]
            k = k if sign == other else -k
            if is_scalar(k) and z.op in ("mul", "div") and not any(map(is_scalar, z.args)):
                op = "addcmul" if z.op == "mul" else "addcdiv"
                return sign, Expression(op, (x, *z.args, k))
            return sign, Expression("fma", (k, z, x))
        return None


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
    def fma(a: Any, x: A, y: A) -> A:
        """``a*x + y``, rounded once."""
        dtype = x.dtype
        wide = np.float64 if dtype == np.float32 else np.longdouble
        a, x, y = (np.asarray(z, dtype=dtype).astype(wide) for z in (a, x, y))
        once: A = (a * x + y).astype(dtype)
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


def reordered(base: type[Adam], seed: int, xp: Any = NumpyForms) -> type[Adam]:
    """Return a subclass of an Adam of the corpus with its step in the form of this seed."""
    axes = axes_of(claim_of_dialect(base.dialect, base.options).adam)
    eps_root = "eps_root" in base.hyper
    forms = [form_of(traced(axes, eps_root=eps_root, parts=parts), seed) for parts in (1, 2)]
    real, two_parts = map(compiled, forms)
    modulus = axes["complex"] == "modulus"

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
        new = (two_parts if pairs else real)(xp, **scalars, **arrays)
        for name, mine in (("p", self.p), ("m", self.m)):
            mine[i] = np.stack([new[f"new_{name}{k}"] for k in range(width)], axis=-1).reshape(-1)
        self.v[i] = np.repeat(new["new_v"], width)
        self.top[i] = np.repeat(new.get("new_top", arrays["top"]), width)
        self.mu[i] = new.get("new_mu", self.mu[i])

    about = forms[0]["new_p0"].replace("new_", "").replace("0", "") if False else forms[0]["new_p0"]
    return type(f"{base.__name__}{seed}", (base,), {"one": one, "__doc__": about, "__module__": base.__module__})
