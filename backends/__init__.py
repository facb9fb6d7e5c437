"""The array libraries Adam runs on, one module each."""

if __name__ != "adamcore.backends":  # pragma: no cover - a guard against a bare sys.path entry
    raise ImportError(f"import adamcore.backends, not {__name__}: 'backends' is only its folder")
