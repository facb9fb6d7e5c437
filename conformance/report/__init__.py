"""The report: on a terminal, and as JSON, JUnit, Markdown and HTML."""
