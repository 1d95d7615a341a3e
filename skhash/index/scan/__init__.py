"""The scan: a filter by blocks of 64 codes, kernels on top, threads."""
