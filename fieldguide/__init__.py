"""The field guide: Adams of the world, each in its own environment, measured by the conformance suite.

* ``entries/`` has a TOML file for each environment, with the implementations in it (:mod:`fieldguide.entry`).
* ``drivers/`` has the few lines that call an implementation which ``adamcore check`` can't call by itself.
* ``python -m fieldguide`` builds the environments, measures, and stores a result for each entry.
* ``docs/generate/field_guide_pages.py`` writes docs/field-guide/ from the stored results.
"""
