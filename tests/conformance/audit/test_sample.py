"""The sample of a large recording has the element that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from audit_runs import only

from adamcore.conformance.audit import Recorder


def test_one_wrong_element_in_a_large_recording(path: Path) -> None:
    """Six steps of 40000 elements: a sample is judged, and the wrong one is in it."""
    shape = (200, 200)
    hyper = {"lr": 0.125, "b1": 0.5, "b2": 0.75, "eps": 1e-3, "weight_decay": 0.0}
    for wrong in (False, True):
        p = torch.linspace(-1, 1, 40000).reshape(shape).requires_grad_()
        optimizer = torch.optim.AdamW([p], lr=0.125, betas=(0.5, 0.75), eps=1e-3, weight_decay=0.0)
        recorder = Recorder(hyper, dialect="torch.AdamW")
        for k in range(6):
            p.grad = torch.sin(7 * p.detach() + k)
            before = p.detach().clone()
            optimizer.step()
            if wrong and k == 4:
                with torch.no_grad():
                    p[123, 45] += 1e-5
            recorder.step({"p": before}, {"p": p.grad}, {"p": p})
        recorder.save(path)
        entry = only(path)
        assert entry.verdict == ("deviates" if wrong else "conforms")
        assert re.search(r"6 steps, \d{3} of 40000 elements", entry.reason)
    assert entry.results[0].evidence is not None
    assert entry.findings[0].evidence is not None
    assert (entry.findings[0].evidence.step, entry.findings[0].evidence.element) == (5, "p[123, 45]")
