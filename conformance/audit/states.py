"""The state of a run that is resumed, as its library keeps it, by the names of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adamcore.conformance.audit.arrays import RecordingError, flat, pack
from adamcore.conformance.audit.log import State

NAMES = {
    "t": ("t", "count"), "m": ("m", "mu"), "v": ("v", "nu"), "v_max": ("v_max", "nu_max"),
    "mu_product": ("mu_product",),
}  # fmt: skip


def find_state(state: Any) -> dict[str, State]:
    """Return the state of each parameter.

    Args:
        state: an ``AdamState``, a mapping with its parts, or a state of optax, which may be deep in tuples.

    Raises:
        RecordingError: it has no t, m and v, or a part is no mapping from the names of the parameters.
    """
    parts = parts_of(state)
    if parts is None:
        raise RecordingError(
            f"state: expected t, m and v (or count, mu and nu), found {type(state).__name__}"
        )

    if getattr(state, "m_scale", None) is not None or getattr(state, "v_scale", None) is not None:
        raise RecordingError(
            "state: moments in 8 bits (m_storage, v_storage): expected numbers; give the state that "
            "adamcore.backends.states.to_adam makes of it for a plain Adam"
        )

    def named(part: str) -> dict[str, Any]:
        value = parts.get(part)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise RecordingError(
                f"state: {part} is {type(value).__name__}: expected a mapping like the parameters"
            )
        return flat(value)

    def scalar(part: str, name: str, without: float) -> Any:
        value = parts.get(part, without)
        value = flat(value).get(name, without) if isinstance(value, Mapping) else value
        return without if value is None else value

    moments = {part: named(part) for part in ("m", "v", "v_max")}
    return {
        name: State(
            int(scalar("t", name, 0)),
            float(scalar("mu_product", name, 1.0)),
            {
                part: pack(f"{part} of {name}", found[name])
                for part, found in moments.items()
                if name in found
            },
        )
        for name in moments["m"]
    }


def parts_of(state: Any) -> dict[str, Any] | None:
    """Return t, m, v and what else there is; looks into tuples, as optax nests them."""
    if isinstance(state, Mapping):
        found = {ours: state[n] for ours, names in NAMES.items() for n in names if n in state}
    else:
        found = {
            ours: getattr(state, n)
            for ours, names in NAMES.items()
            for n in names
            if hasattr(state, n) and not callable(getattr(state, n))
        }
    if {"t", "m", "v"} <= found.keys():
        return found
    inner = state if isinstance(state, tuple | list) else ()
    for part in (*inner, getattr(state, "inner_state", None)):
        if part is not None and (deeper := parts_of(part)) is not None:
            return deeper
    return None
