"""Print, check or write test vectors with exact answers, for any language.

Without an option, print what the edition has.  Inputs and answers are bit patterns in hexadecimal.  The
answers are exact values, rounded once, and each has the largest error that is allowed.  See docs/vectors.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = """\
examples:
  adamcore vectors                                              list the files of the edition
  adamcore vectors --for json --dialect torch.AdamW --dtype bfloat16 > adamw.json
  adamcore vectors --for C --dialect torch.AdamW > adam_vectors.h
  adamcore vectors --for rust --dialect torch.AdamW > adam_vectors.rs
  adamcore vectors --check                                      check the files of this package
  adamcore vectors --write DIR                                  compute the same files with the oracle
  adamcore vectors --write DIR --long                           more dialects, more and longer inputs

exit status: 0 done, 2 wrong usage, or files that are damaged or of another kind
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    action = parser.add_mutually_exclusive_group()
    languages = ("json", "C", "rust", "javascript", "julia", "mojo")
    action.add_argument("--for", dest="language", choices=languages, help="print vectors for this language")
    action.add_argument(
        "--check",
        nargs="?",
        const="",
        metavar="DIR",
        help="check files against their hashes (default: the package's)",
    )
    action.add_argument(
        "--write", metavar="DIR", help="compute the answers to all inputs and write the files"
    )
    parser.add_argument(
        "--dialect", metavar="NAME", help="vectors of this dialect, or of one that computes the same"
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "float64", "bfloat16", "float16"),
        help="vectors of this dtype (for a language: float32 unless given)",
    )
    parser.add_argument(
        "--from", dest="folder", metavar="DIR", help="read this edition instead of the package's"
    )
    parser.add_argument("--long", action="store_true", help="with --write: the longer set")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from adamcore.conformance.cli.parser import usage_error
    from adamcore.conformance.vectors.files import VectorError
    from adamcore.errors import DialectError

    if options.long and not options.write:
        return usage_error("--long goes with --write DIR")
    for name, value in (("--dialect", options.dialect), ("--dtype", options.dtype)):
        if value and not options.language:
            return usage_error(f"{name} {value} goes with --for LANGUAGE")
    if options.folder and (options.write or options.check is not None):
        return usage_error(
            f"--from {options.folder} goes with --for LANGUAGE; --check and --write have a DIR"
        )
    try:
        return run_vectors(options)
    except (VectorError, DialectError) as error:
        return usage_error(error)


def run_vectors(options: argparse.Namespace) -> int:
    """Run the command; errors of files and dialects are those of :mod:`adamcore.conformance.vectors`."""
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.vectors import files, languages, sources

    folder = Path(options.folder) if options.folder else files.SHIPPED
    if options.language:
        if options.language == "json":
            selection = languages.select_vectors(options.dialect, options.dtype, folder)
            print(languages.selection_json(selection))
        else:
            dtype = options.dtype or "float32"
            selection = languages.select_vectors(options.dialect, dtype, folder)
            print(sources.source(selection, options.language, dtype))
        return 0
    out = console()
    if options.write:
        try:  # before minutes of computing
            Path(options.write).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return usage_error(f"cannot write {options.write}: {error.strerror or error}")
        texts = files.generate(long=options.long, done=lambda name: out.print(name))
        try:
            files.write(Path(options.write), texts)
        except OSError as error:
            return usage_error(f"cannot write {options.write}: {error.strerror or error}")
        out.print(f"{len(texts)} files and {files.INDEX} in {options.write}")
        return 0
    if options.check is not None:
        folder = Path(options.check) if options.check else files.SHIPPED
        index = files.check(folder)
        count = sum(entry["vectors"] for entry in index["files"].values())
        out.print(
            f"adam-vectors {index['edition']}: {count} vectors in {len(index['files'])} files, all as written"
        )
        return 0
    print_index(files.read_index(folder))
    return 0


def print_index(index: dict[str, Any]) -> None:
    """Print a table of the files and one of the flags."""
    from rich.table import Table

    from adamcore.conformance.cli.parser import console

    out = console()
    for title, heads, rows in (
        (
            f"adam-vectors {index['edition']}",
            ("dialect", "vectors"),
            [(e["dialect"], str(e["vectors"])) for e in index["files"].values()],
        ),
        (
            "flags",
            ("flag", "what goes wrong", "what it does"),
            [(n, f["description"], f["effect"]) for n, f in index["flags"].items()],
        ),
    ):
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, title=title, title_justify="left")
        for head in heads:
            table.add_column(head, overflow="fold")
        for row in rows:
            table.add_row(*row)
        out.print(table)
        out.print()
