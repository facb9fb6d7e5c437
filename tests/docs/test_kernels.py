"""docs/kernels.md: its files are written, its commands run, and its names are those that are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs_pages import lost_links
from paths import ROOT

from adamcore.conformance.candidates.calls import TRIED
from adamcore.conformance.candidates.kernel_options import Kernel
from adamcore.conformance.candidates.signatures import ROLE_OF
from adamcore.conformance.cli.parser import main

PAGE = ROOT / "docs" / "kernels.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# file: (\S+)\n(.*?)^```", TEXT, flags=re.M | re.S))
COMMANDS = re.findall(r"^    adamcore (.*?) +# (.*)$", TEXT, flags=re.M)
NAMES = TEXT.split("## Names of arguments")[1].split("\n\n")[1]


def test_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []


def test_every_example_is_python() -> None:
    assert len(FILES) == 3
    for name, text in FILES.items():
        compile(text, name, "exec")


def test_the_names_are_those_that_are_known() -> None:
    stated = set(re.findall(r"`(\w+)`", NAMES))
    assert len(stated) > 40
    assert stated <= set(ROLE_OF)
    assert {ROLE_OF[name] for name in stated} >= {
        "p",
        "g",
        "m",
        "v",
        "v_max",
        "t",
        "bc1",
        "scale",
        "found_inf",
    }


def test_the_options_and_settings_are_those_that_there_are() -> None:
    options = TEXT.split("| option of `kernel` |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)=", options, flags=re.M)) == set(Kernel.__dataclass_fields__) - {
        "function"
    }
    settings = TEXT.split("| attribute of `h` |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", settings)) >= set(TRIED) - {"momentum_decay", "lr_max"}


@pytest.mark.slow
@pytest.mark.parametrize(("command", "said"), COMMANDS)
def test_commands_say_what_the_page_says(
    command: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    status = main(command.split())
    assert said in " ".join(capsys.readouterr().out.split())
    assert status == (0 if said == "conforms" else 1)
