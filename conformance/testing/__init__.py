"""Conformance in a user's own tests: ``assert_conforms`` and the pytest plugin."""
