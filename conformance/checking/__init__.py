"""A whole check: what runs on which probes under which claim, and what comes of it."""
