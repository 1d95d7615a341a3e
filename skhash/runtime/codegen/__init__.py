"""Generation of kernels of vector instructions for a target, with llvmlite."""
