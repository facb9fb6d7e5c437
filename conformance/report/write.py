"""The report as files: the renderer of each format, a test of the paths before the check, the writing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

from adamcore.backends.io.atomic import check_writable, is_regular, write_whole
from adamcore.conformance.errors import UsageError
from adamcore.conformance.report.report import Report


def renderer_for(form: str) -> Callable[[Report], str]:
    """Return the function that renders a report in the format ``form``, a key of ``FORMATS``."""
    if form == "json":
        from adamcore.conformance.report.report import render_json

        return render_json
    if form == "badge":
        from adamcore.conformance.report.badge import render_badge

        return render_badge
    from adamcore.conformance.report.junit import render_junit, replace_unfit

    if form == "junit":
        return render_junit
    if form == "markdown":
        from adamcore.conformance.report.markdown import render_markdown

        return lambda report: replace_unfit(render_markdown(report))
    from adamcore.conformance.report.html import render_html

    return lambda report: replace_unfit(render_html(report))


def check_paths(paths: Mapping[str, str]) -> None:
    """Raise an error before the check runs if its reports could not be written after it.

    Args:
        paths: the file of each format.

    Raises:
        UsageError: a path is not writable or given twice, or jinja2 is needed and not installed.
    """
    seen: dict[Path, str] = {}
    for form, path in paths.items():
        if path == "-":
            raise UsageError(
                f"--{form} -: expected a file; standard output, which has the verdict, is /dev/stdout"
            )
        try:
            check_writable(path)
            if (other := seen.setdefault(Path(path).resolve(), form)) != form and is_regular(path):
                raise UsageError(f"--{other} and --{form} both write {path}")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    if "html" in paths and importlib.util.find_spec("jinja2") is None:
        raise UsageError("--html needs jinja2, which is not installed; pip install 'adamcore[conformance]'")


def write_all(report: Report, paths: Mapping[str, str]) -> list[str]:
    """Write the report in each format; return a line for each file that could not be written.

    A file is written whole or not at all.  The reports follow one another in what is no regular file.
    """
    problems = []
    for form, path in paths.items():
        try:
            write_whole(path, [renderer_for(form)(report).encode()])
        except OSError as error:
            problems.append(f"cannot write {path}: {error.strerror or error}")
    return problems
