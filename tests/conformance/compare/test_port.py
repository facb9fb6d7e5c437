"""The lines to write in another framework run."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.conformance.compare.port import port
from adamcore.errors import DialectError


@pytest.mark.parametrize(
    ("source", "target", "call"),
    [
        ("torch.AdamW", "optax", "optax.adamw(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-08, "
                                 "eps_root=0.0, weight_decay=0.01)"),
        ("optax.adamw", "torch", "torch.optim.AdamW(model.parameters(), lr=0.001, betas=(0.9, 0.999), "
                                 "eps=1e-08, weight_decay=0.0001)"),
        ("torch.Adam", "mlx", "mlx.optimizers.Adam(learning_rate=0.001, betas=(0.9, 0.999), eps=1e-08, "
                              "bias_correction=True)"),
    ],
)  # fmt: skip
def test_port_prints_what_runs(source: str, target: str, call: str) -> None:
    found = port(source, target, steps=3)
    assert found.text.splitlines()[1] == f"optimizer = {call}"
    if target != "mlx":
        pytest.importorskip(found.text.split()[1].split(".")[0])
        model: Any = type("Model", (), {"parameters": lambda self: [__import__("torch").nn.Parameter()]})()
        exec(found.text, {"model": model} if target == "torch" else {})


def test_port_without_an_exact_target_says_what_is() -> None:
    found = port("torch.AdamW", "keras", steps=3, lr=3e-4)
    assert found.match.verdict in ("approximate", "different")
    assert "# it differs in epsilon" in found.text
    assert (
        "from adamcore.backends.keras import Adam\n"
        "optimizer = Adam(learning_rate=0.0003, dialect='torch.AdamW')" in (found.text)
    )
    assert "SparseAdam" not in port("keras.Adam", "torch", steps=3).text
    with pytest.raises(DialectError, match="no framework 'tensorflew'"):
        port("torch.AdamW", "tensorflew")
