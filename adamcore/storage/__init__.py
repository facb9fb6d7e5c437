"""How arrays are kept between steps, apart from the arithmetic: parameters of 16 bits, and moments in 8.

The rules are STORE.1 to STORE.8 and STORE.9 to STORE.13.

The functions here are pure, and written once for every library.  They ask of it a few operations on the bits
of float32 numbers: :class:`adamcore.storage.bits.Words`.  Nothing here depends on the rest of the core.
"""
