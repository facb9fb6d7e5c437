"""The files a check is asked to write: which formats, whether they can be written, and writing them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

from adamcore.backends.io.atomic import write_whole
from adamcore.conformance.report.report import Report, check_writable
from adamcore.conformance.settings import UsageError


def renderer_for(form: str) -> Callable[[Report], str]:
    """The function that makes the text of a format."""
    if form == "json":
        from adamcore.conformance.report.report import render_json

        return render_json
    from adamcore.conformance.report.junit import render_junit, replace_unfit

    if form == "junit":
        return render_junit
    if form == "markdown":
        from adamcore.conformance.report.markdown import render_markdown

        return lambda report: replace_unfit(render_markdown(report))
    from adamcore.conformance.report.html import render_html

    return lambda report: replace_unfit(render_html(report))


def check_paths(paths: Mapping[str, str]) -> None:
    """Find out before the check runs what would keep a report from being written after it.

    Raises:
        UsageError: a path that cannot be written, one given twice, or a library that is not here.
    """
    seen: dict[Path, str] = {}
    for form, path in paths.items():
        if (other := seen.setdefault(Path(path).resolve(), form)) != form:
            raise UsageError(f"--{other} and --{form} both write {path}")
        try:
            check_writable(path)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    if "html" in paths and importlib.util.find_spec("jinja2") is None:
        raise UsageError("--html needs jinja2, which is not installed; pip install 'adamcore[conformance]'")


def write_all(report: Report, paths: Mapping[str, str]) -> list[str]:
    """Write each report whole or not at all; returns what went wrong, a line for each."""
    problems = []
    for form, path in paths.items():
        try:
            write_whole(path, [renderer_for(form)(report).encode()])
        except OSError as error:
            problems.append(f"cannot write {path}: {error.strerror or error}")
    return problems
