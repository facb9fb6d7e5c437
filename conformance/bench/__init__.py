"""``adamcore bench``: every backend against the Adams of its framework, and against memory traffic."""
