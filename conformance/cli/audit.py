"""Judge a recorded training run, without the code that made it.

FILE is what adamcore.conformance.audit.Recorder writes: the parameters before and after each step,
the gradients and the hyperparameters.  The claim is --dialect; else the dialect in the recording;
else Algorithm 1 of the paper, with L2 decay.  See docs/audit.md.
"""

from __future__ import annotations

import argparse

from adamcore.conformance.cli import check

EXAMPLES = """\
examples:
  adamcore audit run.safetensors
  adamcore audit run.safetensors --dialect torch.AdamW --json report.json

exit status: 0 the run conforms to the claim, 1 it deviates, 2 wrong usage, or a file that is damaged,
no recording, or without a value that can be judged
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("file", metavar="FILE", help="a recording (safetensors)")
    parser.add_argument("--dialect", metavar="NAME", help="the claim of the run")
    parser.add_argument("--json", metavar="FILE", help="write the report to FILE")
    check.add_details(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from adamcore.backends.io.atomic import check_writable
    from adamcore.conformance.audit import RecordingError
    from adamcore.conformance.audit.judge import audit
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.report.terminal import print_report
    from adamcore.errors import AxisError, DialectError, HyperparameterError

    out = console()
    try:
        if options.json:
            check_writable(options.json)
        report = audit(options.file, options.dialect)
        print_report(report, out, table=options.table, verbose=options.verbose)
        if options.json:
            report.write(options.json)
    except (RecordingError, DialectError, AxisError, HyperparameterError) as error:
        return usage_error(error)
    except OSError as error:
        return usage_error(f"cannot write {options.json}: {error.strerror or error}")
    return report.exit_code
