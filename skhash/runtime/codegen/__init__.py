"""Kernels of vector instructions, generated for a target."""
