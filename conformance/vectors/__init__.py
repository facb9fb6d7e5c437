"""The test vectors: designed inputs with their exact answers, as files for any language.

:mod:`inputs` and :mod:`flags` define an edition, :mod:`answers` computes its answers, :mod:`files` writes,
reads and checks its files, which lie in this folder, and :mod:`languages` prints selections for other
languages.  See docs/vectors.md.
"""
