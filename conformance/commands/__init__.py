"""The subcommands of ``adamcore``.

Each is a module with ``EXAMPLES``, ``add_arguments(parser)`` and ``run(options) -> exit status``;
it imports nothing heavy before ``run``.
"""

#: Name of the module -> one line for --help.
COMMANDS = {
    "check": "run candidates on the probes and judge them",
    "compare": "two dialects side by side, and with which numbers one is the other",
    "convert": "convert a saved optimizer state from one framework into another",
    "dialects": "list the known implementations and how they differ",
    "port": "print the lines to write in another framework",
    "identify": "tell which Adam a candidate is, from what it does alone",
    "probes": "list the probes and what each is for",
    "smoke": "tell a broken driver from a wrong implementation",
    "bench": "time every backend against the Adams of its framework and against memory traffic",
    "audit": "judge a recorded training run",
    "vectors": "test vectors with exact answers, for any language",
}
