"""The report and its renderers: the terminal, JSON, JUnit, Markdown and HTML.

:mod:`report` has the data, :mod:`matrix` its rows and columns, and :mod:`text` plain text.  The renderers
share these; none of them imports another one.
"""
