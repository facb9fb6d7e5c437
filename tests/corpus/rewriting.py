"""Expressions written in random other forms that are the same function of real numbers.

Sums and products get another order; a factor moves in front of a sum or into it; there is one root or two;
a division becomes a product with a reciprocal; an average has one rounded weight or two; and operations of
three arguments stand for two: lerp, addcmul, addcdiv and fused multiply-add.

Every form belongs to the family of docs/tolerance.md.  A rewriter therefore

- divides by no number that may be 0, such as lr;
- moves only bias corrections into a sum by division, and out of the denominator alone;
- leaves the root of a weight alone: ``(sqrt(w)*g)**2`` rounds the weight twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from adamcore.tracing import Expression, Namespace

Term = tuple[int, Expression]  #: a sign and an expression
Factor = tuple[Expression, int]  #: an expression, and 1, or -1 where it is below the line

LEAVES = ("input", "power", "successor")
HYPER = ("lr", "b1", "b2", "eps", "weight_decay", "momentum_decay")
SCALARS = (
    *HYPER, "eps_root", "t", "mu", "schedule", "schedule_after", "new_mu", "w1", "w2", "c1", "c2", "c1_after",
)  # fmt: skip


def leaf(name: str) -> Expression:
    return Expression("input", (name,))


ONE = leaf("1.0")
CORRECTIONS = tuple(map(leaf, ("c1", "c2", "c1_after")))


def is_scalar(x: Expression) -> bool:
    """True if no array is in it."""
    if x.op == "input":
        return not x.args[0][0].isalpha() or x.args[0] in SCALARS
    return all(is_scalar(arg) for arg in x.args)


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
                for k, below in self.corrections(terms) if side < 0 else ():
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
        terms = [each for term in terms for each in self.expanded(*term)]
        return self.group([each for sign, x in terms for each in self.split(sign, x)], fuel)

    def expanded(self, sign: int, x: Expression) -> list[Term]:
        """Return ``k*(a + b)`` as two terms in a third of all cases."""
        factors = product_of(x)
        for s, side in factors.factors:
            if side > 0 and is_sum(s) and self.chance(1 / 3):
                rest = factors.without(s).value()
                return [(sign * other, t * rest) for other, t in terms_of(s)]
        return [(sign, x)]

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
        return [
            k for k, side in first if side > 0 and is_scalar(k) and all((k, 1) in other for other in rest)
        ]

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
