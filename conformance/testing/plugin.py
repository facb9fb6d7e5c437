"""The pytest plugin: ``pytest --adam-target=pkg:MyAdam`` is a test for each probe and dtype.

pytest loads this module in every run, whoever asked for it, so it imports nothing but pytest; what
does the work is :mod:`adamcore.conformance.testing.items`, once a target is named.
"""

from __future__ import annotations

import pytest

OPTIONS = (
    "dialect",
    "dtype",
    "device",
    "set",
    "probe",
    "expected",
)  #: mean something with --adam-target alone


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every option begins with ``--adam-``, and means what it means to ``adamcore check``."""
    group = parser.getgroup("adamcore", "adamcore: hold an Adam to its dialect")
    group.addoption(
        "--adam-target", action="append", default=[], metavar="TARGET",
        help="what to check, a test for each probe; without paths, nothing else is collected",
    )  # fmt: skip
    group.addoption("--adam-dialect", metavar="NAME", help="the claim to hold it to")
    group.addoption(
        "--adam-dtype", action="append", default=[], choices=("float32", "float64"), help="only this dtype"
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
    group.addoption("--adam-expected", metavar="FILE", help="failures that are known (TOML)")


def pytest_configure(config: pytest.Config) -> None:
    """With a target: read the options, and see whether the project's own tests are meant too."""
    option = config.option
    if not option.adam_target:
        given = [name for name in OPTIONS if getattr(option, f"adam_{name}")]
        if given:
            raise pytest.UsageError(f"--adam-{given[0]} has no meaning without --adam-target")
        return
    from adamcore.conformance.testing.items import KEY, TargetChecks

    config.stash[KEY] = TargetChecks.of_options(option)
    if not hasattr(option, "adam_alone"):  # else a worker of xdist, which is told
        typed = any(str(word).startswith("--adam-target") for word in config.invocation_params.args)
        option.adam_alone = typed and config.args_source is not pytest.Config.ArgsSource.ARGS
    if option.adam_alone:
        config.args = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """The probes stand after what was collected, in the same order in every process."""
    if config.option.adam_target:
        from adamcore.conformance.testing.items import collect_items

        items += collect_items(session, config)
