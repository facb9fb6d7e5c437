"""The conformance suite: exact oracle, derived tolerance, designed probes, verdicts."""

if __name__ != "adamcore.conformance":  # pragma: no cover - a guard against a bare sys.path entry
    raise ImportError(f"import adamcore.conformance, not {__name__}: 'conformance' is only its folder")
