"""Headless Chromium by its DevTools protocol over a pipe: pages, keys, colours and what the console says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromium import FLAGS, find_chromium

Message = dict[str, Any]
DESKTOP, PHONE = 1280, 390  #: pixels
LOADED = "Page.loadEventFired"


class Page:
    """A tab of the browser.

    Attributes:
        errors: what the console has said of errors since the last page was opened.
    """

    def __init__(self, to: int, back: int) -> None:
        self.to, self.back = to, back
        self.number, self.session, self.rest = 0, "", b""
        self.events: list[Message] = []
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Send a command and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        session = {"sessionId": self.session} if self.session else {}
        rest = json.dumps(message | session).encode() + b"\0"
        while rest:
            rest = rest[os.write(self.to, rest) :]
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def read(self) -> Message:
        """Return the next message, and keep it if it is an event."""
        while b"\0" not in self.rest:
            more = os.read(self.back, 1 << 20)
            assert more, "Chromium has ended"
            self.rest += more
        packed, _, self.rest = self.rest.partition(b"\0")
        message: Message = json.loads(packed)
        if "method" in message:
            self.events.append(message)
            self.note(message["method"], message["params"])
        return message

    def note(self, event: str, said: Message) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(said["exceptionDetails"]["text"])
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
            self.errors.append(str(said["args"]))
        elif event == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")

    def look(self, width: int, scheme: str) -> None:
        """Set the width of the window, in pixels, and "light" or "dark"."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < DESKTOP,
        )  # fmt: skip
        self.call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def open(self, url: str) -> None:
        """Open a page and wait until it has loaded."""
        self.events, self.errors = [], []
        self.call("Page.navigate", url=url)
        while not any(event["method"] == LOADED for event in self.events):
            self.read()

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression of JavaScript."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key: ``press("Tab", 9)``."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


LAUNCH = """
import os, sys
commands, answers = map(int, sys.argv[1:3])
commands, answers = os.dup(commands), os.dup(answers)
os.dup2(commands, 3)
os.dup2(answers, 4)
os.set_inheritable(3, True)  # which dup2 leaves as it is where both are the same
os.set_inheritable(4, True)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def opened(profile: Path) -> Iterator[Page]:
    """Yield a tab of a Chromium of its own, which ends afterwards."""
    (commands, to), (back, answers) = os.pipe(), os.pipe()
    flags = [flag for flag in FLAGS if not flag.startswith("--virtual-time")]
    browser = [find_chromium(), *flags, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(commands), str(answers), *browser],
        pass_fds=(commands, answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands)
    os.close(answers)
    try:
        yield Page(to, back)
    finally:
        process.terminate()
        process.wait()
        os.close(to)
        os.close(back)
