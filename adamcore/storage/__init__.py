"""How a parameter of 16 bits is kept between steps, apart from the arithmetic (rules STORE.1 to STORE.8).

The functions here are pure, and written once for every library.  They ask of it a few operations on the bits
of float32 numbers: :class:`adamcore.storage.bits.Words`.  Nothing here depends on the rest of the core.
"""
