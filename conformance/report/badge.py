"""The report as a badge: the JSON that shields.io draws (https://shields.io/badges/endpoint-badge)."""

from __future__ import annotations

import json

from adamcore.conformance.report.report import Entry, Report

COLORS = {"conforms": "brightgreen", "deviates": "red", "broken": "red", "unavailable": "lightgrey"}
LONGEST = 60  #: characters of a message, which a line of a README still takes


def render_badge(report: Report) -> str:
    """Return the JSON text of a badge for all candidates of a report."""
    message, color = content(report)
    badge = {"schemaVersion": 1, "label": "Adam", "message": shortened(message), "color": color}
    return json.dumps(badge, ensure_ascii=False) + "\n"


def content(report: Report) -> tuple[str, str]:
    """Return the message and the colour of a badge."""
    entries = [entry for entry in report.entries if entry.asked or entry.verdict != "unavailable"]
    if not entries:
        return "nothing checked", "lightgrey"
    if len(entries) == 1:
        return message_of(entries[0]), "yellow" if expected(entries[0]) else COLORS[entries[0].verdict]
    good = sum(entry.verdict == "conforms" for entry in entries)
    if good == len(entries):
        return f"{good} conform", "brightgreen"
    unexpected = any(entry.verdict != "conforms" and not expected(entry) for entry in entries)
    return f"{good} of {len(entries)} conform", "red" if unexpected else "yellow"


def expected(entry: Entry) -> bool:
    """True if an entry deviates as its file of expected deviations says."""
    return entry.verdict == "deviates" and entry.as_expected


def message_of(entry: Entry) -> str:
    """Return the message for one candidate."""
    match entry.verdict:
        case "conforms":
            return f"conforms to {entry.claimed}"
        case "deviates":
            errors = [finding for finding in entry.findings if finding.level == "error"]
            rules = ", ".join(dict.fromkeys(finding.rule for finding in errors))
            return f"deviates from {entry.claimed}" + (f": {rules}" if rules else "")
        case _:
            return str(entry.verdict)


def shortened(text: str) -> str:
    """Return a text, cut where it is too long for a badge."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
