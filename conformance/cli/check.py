"""Run candidates on the designed probes and judge them under a claim.

TARGET is one of
  numpy, torch, jax         a backend of adamcore; torch:cuda and jax:cuda use another device
  jax:jit, jax:native       JAX with a step under jit; the second one calls the CPU kernel
  torch:compile             PyTorch with a step that torch.compile has compiled
  array:MODULE              adamcore on any array-API namespace
  module:attr               a torch.optim.Optimizer class, an optax factory, a Keras optimizer class,
  path/file.py:attr         or a class with init(params, hyper) and step(grads)
  kernel:module:function    a function of one step, such as one that launches a kernel (docs/kernels.md)
  cmd:COMMAND               a program in any language (docs/protocol.md)
Without TARGET, every backend of adamcore is checked on every device under every dialect; jax:jit is
checked under Algorithm 1 only, because compiling all dialects takes minutes.

The claim is --dialect; else the target's row in the table (adamcore dialects); else the candidate's
own attribute `dialect`; else that of its nearest base class; else optax.adam or optax.adamw for an optax
factory, keras.Adam for a Keras optimizer; else Algorithm 1 of the paper, with L2 decay.

The verdict is printed in sentences: whether a candidate is the Adam that it says it is, else what it does
instead, the smallest program that shows it, and how sure that is.  On demand: the numbers of every rule
(--table), every finding with its evidence (-v), the measured update rule as a picture (--html).
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rich.console import Console

    from adamcore.conformance.report.report import Report

EXAMPLES = """\
examples:
  adamcore check                                  are all installed backends the same Adam?
  adamcore check torch.optim:AdamW optax:adamw    each one against its own dialect
  adamcore check --dialect torch.AdamW optax:adamw
  adamcore check torch.optim:Adam --set amsgrad=True --set foreach=True
  adamcore check my/adam.py:MyAdam --set noise_factor=@eps --json report.json
  adamcore check 'cmd:./my_driver --threads 1' --quick
  adamcore check my/adam.py:MyAdam --histories 200
  adamcore check my/adam.py:MyAdam --html report.html --junit report.xml
  adamcore check my/adam.py:MyAdam --ranks 2 --layout fsdp
  adamcore check optax:adamw --ranks 8 --layout 2d
  adamcore check optax:adamw --ranks 2 --processes
  adamcore check my/adam.py:MyAdam --table
  adamcore check jax:jit --dtype bfloat16 --storage all
  adamcore check torchao.optim:_AdamW --set bf16_stochastic_round=True --dtype bfloat16 --storage stochastic
  adamcore check keras.optimizers:Adam --set global_clipnorm=1.0 --clip global_norm=1.0
  adamcore check my/adam.py:MyAdam --dtype float32 --probe 'EPS.*' --probe DEC.1/coupling

exit status: 0 all conform, 1 one deviates, 2 wrong usage or a target that is not available,
3 a candidate broke, or adamcore itself failed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    add_candidates(parser)
    add_histories(parser)
    add_ranks(parser)
    add_details(parser)


def add_histories(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how many probes are drawn at random."""
    from adamcore.conformance.settings import HISTORIES

    about = "how many probes are drawn at random (default: %(default)s); more take longer, and find more"
    parser.add_argument("--histories", type=int, default=HISTORIES, metavar="N", help=about)


def add_ranks(parser: argparse.ArgumentParser) -> None:
    """Add the options that say on which ranks a candidate runs."""
    from adamcore.conformance.settings import LAYOUTS

    about = "run on so many processes of PyTorch or devices of JAX together, and judge the whole parameters"
    parser.add_argument("--ranks", type=count, metavar="N", help=about)
    about = "how parameters lie on these (docs/sharding.md): %(choices)s (default: fsdp)"
    parser.add_argument("--layout", choices=LAYOUTS, help=about)
    about = "each rank of JAX is a process, joined by jax.distributed, and not a device of one process"
    parser.add_argument("--processes", action="store_true", help=about)


def add_details(parser: argparse.ArgumentParser) -> None:
    """Add the options that print more than the verdicts."""
    parser.add_argument("--table", action="store_true", help="print the numbers of every rule too")
    about = "print these numbers, and every finding with its evidence"
    parser.add_argument("-v", "--verbose", action="store_true", help=about)


def add_candidates(parser: argparse.ArgumentParser, *, identifying: bool = False) -> None:
    """Add the arguments that say what to run, and how.

    Args:
        parser: the parser of the command.
        identifying: True for ``adamcore identify``, which looks at float32 and float64 alone and expects
            nothing.  What it refuses for that reason is not in its help.
    """
    from adamcore.conformance.settings import (
        DTYPES,
        FORMATS,
        MEMORY,
        MOMENT_POLICIES,
        NARROW,
        PARALLEL,
        POLICIES,
        TIMEOUT,
    )

    parser.add_argument("targets", nargs="*", metavar="TARGET", help="what to check (above)")
    parser.add_argument("--dialect", metavar="NAME", help="the claim of every target")
    checking_alone = argparse.SUPPRESS if identifying else None
    parser.add_argument(
        "--dtype",
        action="append",
        choices=(*DTYPES, *NARROW),
        metavar="{" + ",".join(DTYPES) + "}" if identifying else None,
        help="only this dtype (default: float32 and float64)",
    )
    parser.add_argument(
        "--storage",
        action="append",
        default=[],
        choices=("all", *POLICIES),
        help=checking_alone or "how the claim keeps parameters of 16 bits (default: plain)",
    )
    parser.add_argument(
        "--moments",
        choices=(*DTYPES, *NARROW, *MOMENT_POLICIES),
        help="dtype of the claim's moments, or how it keeps them (default: in the parameter's dtype)",
    )
    parser.add_argument(
        "--clip",
        metavar="WAY=M[,eps=E]",
        help="how the claim clips gradients: global_norm=M, norm=M or value=M (default: not at all)",
    )
    parser.add_argument("--device", metavar="NAME", help="device of torch and JAX targets, such as cuda:1")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a constructor argument; NAME=@b1 says that this argument is b1 (or lr, b2, eps, ...); eps=1e-8 "
        "says that a hyperparameter without an argument has this value",
    )
    parser.add_argument(
        "--probe", action="append", default=[], metavar="PATTERN", help="only probes or rules with this name"
    )
    for form, about in FORMATS.items():
        names = [f"--{form}", "--md"] if form == "markdown" else [f"--{form}"]
        parser.add_argument(*names, metavar="FILE", help=f"write {about}")
    parser.add_argument(
        "--expected",
        metavar="FILE",
        help=checking_alone or "known failures, each with a reason and a last day (TOML)",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        default=TIMEOUT,
        metavar="S",
        help="seconds that a candidate has to start, and then for each probe (default: %(default)g)",
    )
    parser.add_argument(
        "--memory",
        type=positive,
        default=MEMORY,
        metavar="MB",
        help="memory that all processes of a candidate may use together (%(default)g; Linux only)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="only short probes; judging a candidate takes under two seconds"
    )
    parser.add_argument(
        "-j",
        type=count,
        default=PARALLEL,
        dest="parallel",
        metavar="N",
        help="processes at the same time (%(default)s)",
    )


def positive(text: str) -> float:
    """Return a number above 0."""
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return value


def count(text: str) -> int:
    """Return a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 or more")
    return value


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    with workers_ahead(options, options.parallel):
        return check_and_report(options)


def workers_ahead(options: argparse.Namespace, count: int) -> AbstractContextManager[None]:
    """Start the first workers of a check, at most ``count``, while the rest of it is imported."""
    from adamcore.conformance.settings import DTYPES
    from adamcore.conformance.workers.launch import launched_ahead

    on_ranks = getattr(options, "ranks", None)
    return launched_ahead([] if on_ranks else list(dict.fromkeys(options.dtype or DTYPES))[:count])


def check_and_report(options: argparse.Namespace) -> int:
    """Check, write the reports, and return the exit status."""
    from adamcore.conformance.checking.expected import Expectations, read_expected
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.report.report import EXIT_USAGE
    from adamcore.conformance.report.terminal import print_report
    from adamcore.conformance.report.write import check_paths, write_all
    from adamcore.errors import DialectError

    out = console()
    paths = report_paths(options)
    try:
        check_paths(paths)
        expected = read_expected(options.expected) if options.expected else Expectations([])
        report = run_check(options, out)
    except (UsageError, DialectError) as error:
        return usage_error(error)
    expected.apply(report, narrowed=bool(options.probe or options.dtype or options.quick))
    print_report(report, out, table=options.table, verbose=options.verbose)
    problems = write_all(report, paths)
    for problem in problems:
        usage_error(problem)
    return EXIT_USAGE if problems else report.exit_code


def report_paths(options: argparse.Namespace) -> dict[str, str]:
    """Return the file of each format that is asked for."""
    from adamcore.conformance.settings import FORMATS

    return {form: path for form in FORMATS if (path := getattr(options, form))}


def run_check(options: argparse.Namespace, out: Console, *, identifying: bool = False) -> Report:
    """Run the check and return its report, with a progress bar on a terminal."""
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from adamcore.conformance.checking.check import check
    from adamcore.conformance.settings import DTYPES, parse_assignments

    columns = (
        SpinnerColumn(),
        TextColumn("identifying" if identifying else "checking"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
    )
    run: Callable[..., Report] = partial(
        check,
        options.targets,
        dialect=options.dialect,
        dtypes=options.dtype or DTYPES,
        device=options.device,
        settings=parse_assignments(options.set),
        probes=options.probe,
        timeout=options.timeout,
        parallel=options.parallel,
        memory=options.memory,
        quick=options.quick,
        histories=options.histories,
        ranks=getattr(options, "ranks", None),
        layout=getattr(options, "layout", None),
        processes=getattr(options, "processes", False),
        storage=options.storage,
        moments=options.moments,
        clip=options.clip,
        identifying=identifying,
    )
    if not sys.stdout.isatty() or out.is_dumb_terminal:  # FORCE_COLOR makes a terminal of a file for rich
        return run()  # a bar that is switched off leaves an empty line before rich 14.3
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("", total=None)
        return run(
            progress=lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
        )
