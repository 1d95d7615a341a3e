"""Threads that compile at the same time share one compiler, which keeps their code alive."""

import time
from concurrent.futures import ThreadPoolExecutor

from llvmlite import binding

from skhash.bitops import _block_code


def test_threads_share_one_compiler(monkeypatch):
    make = _block_code._Compiler._make_machine

    def make_slowly(self):
        time.sleep(0.05)
        return make(self)

    monkeypatch.setattr(_block_code._Compiler, "_make_machine", make_slowly)
    cpu = binding.get_host_cpu_name()  # a key of its own: "" is what the library uses
    with ThreadPoolExecutor(4) as pool:
        compilers = set(pool.map(_block_code._compiler, [cpu] * 4))
    assert len(compilers) == 1
