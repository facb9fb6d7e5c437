"""The edition of test vectors: designed inputs with their exact answers, on file.

:mod:`inputs` and :mod:`flags` say what is in it, :mod:`answers` has the oracle answer it,
:mod:`files` writes, reads and checks the files of ``conformance/vectors``, :mod:`languages` prints
selections for other languages.  See docs/vectors.md.
"""
