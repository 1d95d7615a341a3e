"""Memory of the C library: freed blocks are kept for the next step instead of being given back to the system."""

from __future__ import annotations

import functools

import torch

# Slightly less than the largest block, 32 MiB, that glibc's moving thresholds follow.
_BLOCK = 2**25 - 2**13


@functools.cache
def keep_freed_memory() -> None:
    """Let the C library keep up to 64 MiB of freed memory, once per process.

    A training step allocates and frees some ten megabytes. By default glibc returns them to the system at the end of a
    step, and the next one spends up to a quarter of its time on page faults. When a large block is freed, glibc raises
    the thresholds above which it asks the system for a block of its own, and above which it returns memory, to the size
    of that block and to twice of it. So one block that is freed at once is enough; elsewhere it changes nothing.
    """
    torch.empty(_BLOCK, dtype=torch.uint8)
