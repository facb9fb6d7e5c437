"""Processes whose Keras has a given backend, which run one piece of code after another.

Keras' backend is fixed when it is imported, which takes seconds. So a process stays
for all tests of a session.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import textwrap

#: Reads [code, arguments] line by line, runs the code in a namespace of its own, and prints how it ended.
SERVER = """
import contextlib, io, json, linecache, sys, traceback, warnings
answers, sys.stdout = sys.stdout, sys.stderr
for number, line in enumerate(sys.stdin):
    code, sys.argv[1:] = json.loads(line)
    name, said = f"<piece {number}>", ""
    linecache.cache[name] = len(code), None, code.splitlines(True), name
    try:
        with warnings.catch_warnings():
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
    except BaseException:
        said = traceback.format_exc()
    print(json.dumps(said), file=answers, flush=True)
"""


@functools.cache
def process(backend: str) -> subprocess.Popen[str]:
    """Return the process of a backend, started at the first call and ended with this one."""
    env = os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    words = [sys.executable, "-c", SERVER]
    server = subprocess.Popen(words, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(server.kill)
    return server


def run(backend: str, begin: str, code: str, *arguments: str) -> None:
    """Assert that code, after what it begins with, ends without an exception."""
    server = process(backend)
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps([begin + textwrap.dedent(code), arguments]) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    assert answer, f"the process of Keras on {backend} ended with {server.wait()}"
    said = json.loads(answer)
    assert not said, said
