"""A whole check: targets become subjects, subjects run on probes, results become the report.

``check`` runs a check, ``smoke`` tests a driver, ``repro`` writes a program that shows a deviation, and
``expected`` reads the file of known deviations.
"""
