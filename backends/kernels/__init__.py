"""The traced program compiled and run over raw memory: LLVM on processors, CUDA on NVIDIA's devices.

No array library is imported here; a backend says where its arrays stand in memory.
"""
