import os
import subprocess
import sys

import pytest

# Page faults of a step that allocates and frees 30 MB in blocks of 3 MB, before and after.
CODE = """
import resource, torch
from skhash.training._memory import keep_freed_memory

def faults():
    def step():
        blocks = [torch.empty(3 * 2**20, dtype=torch.uint8).fill_(1) for _ in range(10)]
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_freed_memory()
print(first, faults())
"""


def test_freed_memory_is_used_again_without_page_faults():
    glibc = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())
    if not glibc or any(name.startswith(("MALLOC_", "LD_PRELOAD", "GLIBC_TUNABLES")) for name in os.environ):
        pytest.skip("it is glibc with its own settings that gives memory back")
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    before, after = map(int, out.split())
    assert before > 1000
    assert after < before / 10
