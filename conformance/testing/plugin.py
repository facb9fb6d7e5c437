"""The pytest plugin: ``pytest --adam-target=pkg:MyAdam`` runs a test for each probe and dtype.

pytest loads this module in every run, so it imports nothing but pytest.  With a target it loads
:mod:`adamcore.conformance.testing.items`, which collects the tests.
"""

from __future__ import annotations

import pytest

OPTIONS = (
    "dialect",
    "dtype",
    "device",
    "set",
    "probe",
    "storage",
    "expected",
)  #: mean something with --adam-target alone


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; each begins with ``--adam-`` and has the meaning that ``adamcore check`` gives it."""
    group = parser.getgroup("adamcore", "adamcore: hold an Adam to its dialect")
    group.addoption(
        "--adam-target",
        action="append",
        default=[],
        metavar="TARGET",
        help="what to check, a test for each probe; without paths, nothing else is collected",
    )
    group.addoption("--adam-dialect", metavar="NAME", help="the claim to hold it to")
    group.addoption(
        "--adam-dtype",
        action="append",
        default=[],
        choices=("float32", "float64", "bfloat16", "float16"),
        help="only this dtype",
    )
    group.addoption("--adam-device", metavar="NAME", help="device of torch and JAX targets")
    group.addoption(
        "--adam-set", action="append", default=[], metavar="NAME=VALUE", help="a constructor argument"
    )
    group.addoption(
        "--adam-probe",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only these probes or rules",
    )
    group.addoption(
        "--adam-storage", action="append", default=[], metavar="POLICY", help="how 16-bit parameters are kept"
    )
    group.addoption("--adam-expected", metavar="FILE", help="failures that are known (TOML)")


def pytest_configure(config: pytest.Config) -> None:
    """Read the options if there is a target, and find out whether the project's own tests run too."""
    option = config.option
    if not option.adam_target:
        given = [name for name in OPTIONS if getattr(option, f"adam_{name}")]
        if given:
            raise pytest.UsageError(f"--adam-{given[0]} has no meaning without --adam-target")
        return
    from adamcore.conformance.testing.items import KEY, TargetChecks

    config.stash[KEY] = TargetChecks.from_options(option)
    if not hasattr(option, "adam_alone"):  # a worker of xdist gets it from the main process
        typed = any(str(word).startswith("--adam-target") for word in config.invocation_params.args)
        option.adam_alone = typed and config.args_source is not pytest.Config.ArgsSource.ARGS
    if option.adam_alone:
        config.args = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the probes' tests after all others, in the same order in every process."""
    if config.option.adam_target:
        from adamcore.conformance.testing.items import collect_items

        items += collect_items(session, config)
