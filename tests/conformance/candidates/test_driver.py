"""Drivers that break every rule of the protocol: each is broken, in time, with the reason."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from cases import some
from drivers import FEW, PROBE, faulty, run, spoken

from adamcore.conformance import check
from adamcore.conformance.candidates.command import CommandCandidate
from adamcore.conformance.candidates.driver import ProtocolError
from adamcore.conformance.types import Probe


@pytest.mark.parametrize(
    ("where", "what", "reason"),
    [
        ("start", "say('hello')", "answered message 1 (start) with what is no JSON: 'hello'"),
        ("start", "say('[1, 2]')", "answered message 1 (start) with an array, expected an object"),
        ("start", "say('{\"seq\": 1, \"protocol\": 2}'); continue", "speaks protocol 2, expected 1"),
        ("start", "say('{\"seq\": 1, \"error\": \"no licence\"}'); continue", "an error: no licence"),
        ("start", "START['hyper'] = ['alpha']", "start has 'alpha', expected some of lr"),
        ("start", "START['hyper'] = 'lr'", "hyper in its answer to start is a string, expected an array"),
        ("start", "START['dtypes'] = ['float8']", "dtypes in its answer to start has 'float8'"),
        ("start", "START['can'] = {}", "can in its answer to start is an object, expected an array"),
        ("start", "START['dialect'] = 7", "dialect in its answer to start is a number, expected a string"),
        ("start", "START['flushes'] = 1", "flushes in its answer to start is a number, expected a boolean"),
        ("start", "sys.exit(4)", "exited with status 4"),
        ("init", "seq = 1", "answered message 2 (init) out of order: seq is 1, expected 2"),
        ("init", "seq = True", "out of order: seq is true, expected 2"),
        ("init", "say('{}')", "out of order: seq is null, expected 2"),
        ("init", "say('\\x00\\xff')", "answered message 2 (init) with what is no JSON"),
        ("init", "say('['*200000)", "answered message 2 (init) with what is no JSON"),
        ("init", "say('{\"seq\": 2}')", "{\"seq\": 2}"),  # twice: found at once, or at the next message
        ("init", "print('{\"seq\": 2, \"o', end='', flush=True); os._exit(0)",
         "exited with status 0 at message 2 (init), in the middle of a line: '{\"seq\": 2, \"o'"),
        ("init", "say('{\"seq\": 2, \"o')", "(init) with what is no JSON: '{\"seq\": 2, \"o'"),
        ("init", "say('x' * (17 << 20))", "with a line of more than 16777216 bytes"),
        ("init", "os.kill(os.getpid(), 11)", "was killed by signal 11 at message 2 (init)"),
        ("init", "os.close(1); time.sleep(60)", "closed its output at message 2 (init)"),
        ("step", "P = 'text'", "parameter 0 in its answer to step is a string, expected an object"),
        ("step", "P['bits'] = '3ff0000000000000'", "answer to step has 1 words for shape [2]"),
        ("step", "P['bits'] = '1.0 2.0'", "has a word that is no 64 bits in hexadecimal: '1.0 2.0'"),
        ("step", "P['bits'] = 'f' * 17 + ' 0'", "has a word that is no 64 bits in hexadecimal"),
        ("step", "P['bits'] = [1.0, 2.0]", "bits of parameter 0 in its answer to step is an array"),
        ("step", "P['dtype'] = 'float8'", "the dtype of parameter 0 in its answer to step is 'float8'"),
        ("step", "P['shape'] = [-2]", "the shape of parameter 0 in its answer to step is [-2]"),
        ("step", "say(json.dumps({'seq': seq})); continue", "params in its answer to step is null"),
        ("stop", "time.sleep(60)", "did not end after stop: killed"),
        ("stop", "sys.exit(1)", "exited with status 1 after stop, expected 0"),
        ("stop", "say('bye')", "wrote a line that nobody asked for, after stop: 'bye"),
    ],
)  # fmt: skip
def test_broken_protocol_is_broken_and_says_how(tmp_path: Path, where: str, what: str, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        spoken(faulty(tmp_path, where, what))
    assert reason in str(caught.value)


def test_broken_driver_is_a_broken_candidate_with_its_last_words(tmp_path: Path) -> None:
    runs, last = run(faulty(tmp_path, "step", "sys.stderr.write('out of luck'); sys.exit(9)"))
    assert (last.problem, runs) == ("broken", [])
    assert last.reason == "exited with status 9 at message 3 (step); it last wrote:\nout of luck"


def test_doubled_answer_is_never_taken_for_the_next(tmp_path: Path) -> None:
    twice = 'say(json.dumps({"seq": seq, "params": [P]}))'
    with pytest.raises(ProtocolError, match=r"nobody asked for|out of order"):
        spoken(faulty(tmp_path, "step", twice))


@pytest.mark.parametrize("where", some(["step", "start", "init"], 1))
def test_silence_is_ended_in_time(tmp_path: Path, where: str) -> None:
    start = time.monotonic()
    number = 1 + ["start", "init", "step"].index(where)
    with pytest.raises(ProtocolError, match=rf"gave no answer to message {number} \({where}\) within 3 s: k"):
        spoken(faulty(tmp_path, where, "time.sleep(60)"), timeout=4)
    assert time.monotonic() - start < 20


def test_line_without_an_end_is_shown(tmp_path: Path) -> None:
    unended = "print('{\"seq\": 1', end='', flush=True); time.sleep(60)"
    with pytest.raises(ProtocolError, match=r"within 3 s: killed, in the middle of a line: '{\"seq\": 1'"):
        spoken(faulty(tmp_path, "start", unended), timeout=4)


def test_driver_that_does_not_read_is_ended_in_time(tmp_path: Path) -> None:
    candidate = CommandCandidate(
        faulty(
            tmp_path, "start", "say(json.dumps({'seq': 1} | START | {'elements': 10**6})); time.sleep(60)"
        )[4:],
        {},
        4,
    )
    large = Probe("X.1/x", "", (np.zeros(200_000),), (), PROBE.hyper)
    with pytest.raises(ProtocolError, match=r"did not read message 2 \(init\) within 3 s: killed"):
        candidate.run(large, "float64")


def test_program_that_is_not_here() -> None:
    report = check("cmd:/no/such/program", probes=FEW, dtypes=["float32"])
    assert (report.entries[0].verdict, report.exit_code) == ("unavailable", 2)
    assert "cannot run /no/such/program: No such file" in report.entries[0].reason
