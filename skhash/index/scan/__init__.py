"""The scan: a filter of blocks of 64 codes, search kernels based on it, and threads."""
