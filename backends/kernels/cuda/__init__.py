"""The program as a CUDA kernel: its text, its coefficients, and the table of arrays that a launch takes."""
