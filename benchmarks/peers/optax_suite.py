"""optax' tests of its aliases, and of what wraps, chains, injects, accumulates and shards them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from suite import Suite

NAMES = ("adam", "adamw", "amsgrad", "nadam", "nadamw")
OTHER_OPTIMIZER = re.compile(rf"opt_name='(?!({'|'.join(NAMES)})')")


def prepare() -> None:
    """Import the installed package before pytest finds the one in the checkout."""
    import optax  # noqa: F401


def replace() -> Mapping[object, object]:
    """Put our functions into ``optax`` and ``optax._src.alias``, from which the tests import them."""
    import optax
    from optax._src import alias

    from adamcore.backends import jax as ours

    replaced: dict[object, object] = {getattr(optax, name): getattr(ours, name) for name in NAMES}
    for module in (optax, alias):
        vars(module).update({name: getattr(ours, name) for name in NAMES})
    return replaced


def keep(function: Any) -> bool:
    """True unless the test is one of another optimizer, which absl writes into the function."""
    return not OTHER_OPTIMIZER.search(getattr(function, "__x_params_repr__", ""))


SUITE = Suite(
    library="optax",
    repository="https://github.com/google-deepmind/optax",
    tag="v{version}",
    folders=("optax",),
    directory="optax",
    arguments=(
        "--noconftest",
        "--import-mode=importlib",
        "_src/alias_test.py",
        "_src/combine_test.py",
        "_src/float64_test.py",
        "_src/sharding_test.py",
        "_src/transform_test.py",
        "schedules/_inject_test.py",
        "transforms/_accumulation_test.py",
        "transforms/_combining_test.py",
        "transforms/_conditionality_test.py",
        "transforms/_masking_test.py",
        "tree_utils/_state_utils_test.py",
        "contrib/_common_test.py",
        "contrib/_complex_valued_test.py",
        "contrib/_sam_test.py",
    ),
    packages=("optax", "jax", "jaxlib", "numpy", "absl-py", "scikit-learn"),
    replace=replace,
    prepare=prepare,
    keep=keep,
    reasons={
        r"test_explicit_dtype(7|8|19|20|43|44)$": "mu_dtype='complex64' with real parameters: m stays real, "
        "in the dtype of a complex number's parts",
        r"test_explicit_dtype(28|29)$": "mu_dtype='float32' with complex parameters: m stays complex, with "
        "parts of that dtype, where optax drops the imaginary part",
        r"test_explicit_dtype(25|26)$": "mu_dtype='bfloat16' with complex parameters is refused: JAX has no "
        "complex number of such parts, and optax drops the imaginary part",
        r"ExtraArgsTest::test_extra_args$": "the parameters are whole numbers, which are not optimized here",
        r"test_tree_set$": "inject_hyperparams injects what is given; b1 is the dialect's default",
    },
)
