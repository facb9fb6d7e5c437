"""The program as a CUDA kernel: its text, its coefficients, and the table of arrays that a launch takes."""

from adamcore.backends.kernels.cuda.kernel import OPTIONS, PIECE, THREADS, arrays, fill_text, row, text

__all__ = ["OPTIONS", "PIECE", "THREADS", "arrays", "fill_text", "row", "text"]
