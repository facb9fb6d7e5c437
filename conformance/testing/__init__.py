"""For people's own tests: the pytest plugin, and ``assert_conforms``."""
