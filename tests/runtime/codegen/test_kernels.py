"""Kernels are compiled once and for the requested target; a loop of jobs runs in order."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from llvmlite import binding

from skhash.runtime.codegen import _kernels
from skhash.runtime.codegen._jobs import JOB
from skhash.runtime.codegen._kernels import Kernel, assembly, compile_kernel, compile_runner
from skhash.runtime.codegen._targets import _OTHER_TARGETS, Target, find_target, list_targets

TARGETS = [pytest.param(target, id=target.name) for target in list_targets()]


def run(target, *jobs, n=1):
    table = np.zeros(len(jobs), JOB)
    for row, job in zip(table, jobs, strict=True):
        for name, value in job.items():
            row[name] = value.ctypes.data if isinstance(value, np.ndarray) else value
    cells = np.zeros(2, np.int64)
    first = cells.ctypes.data
    compile_runner(target)(table.ctypes.data, len(table), 100, 7, first, 1000, 9, first + 8, n)
    return cells


@pytest.mark.parametrize("target", TARGETS)
def test_compiled_once(target):
    kernel = Kernel("copy")
    assert compile_kernel(target, kernel) == compile_kernel(target, Kernel("copy")) != 0
    assert compile_kernel(target, Kernel("lookup")) != compile_kernel(target, kernel)


def test_every_target_has_its_own_code():
    addresses = {compile_kernel(target, Kernel("copy")) for target in list_targets()}
    assert len(addresses) == len(list_targets())


def test_the_runner_writes_the_addresses_of_inputs_and_outputs():
    assert run(find_target(), n=4).tolist() == [100 + 3 * 7, 1000 + 3 * 9]
    assert run(find_target(), n=0).tolist() == [0, 0]


@pytest.mark.parametrize("target", TARGETS)
def test_copy_and_lookup(target):
    source = np.arange(60, dtype=np.uint8).reshape(3, 20)
    out, floats = np.zeros((3, 32), np.uint8), np.zeros((3, 20), np.float32)
    table = np.random.default_rng(0).normal(size=(256, 2)).astype(np.float32)
    copy = {"kernel": compile_kernel(target, Kernel("copy")), "source": source, "source_stride": 20, "out": out}
    copy |= {"out_stride": 32, "n_tiles": 3, "n_taps": 17}
    lookup = {"kernel": compile_kernel(target, Kernel("lookup")), "source": out, "source_stride": 32, "out": floats}
    lookup |= {"out_stride": 80, "n_tiles": 3, "n_taps": 8, "n_blocks": 2, "parameters": table, "parameter_stride": 8}
    run(target, copy, lookup)
    np.testing.assert_array_equal(out[:, :17], source[:, :17])
    assert not out[:, 17:].any()
    np.testing.assert_array_equal(floats[:, :16], table[source[:, :16], np.arange(16) % 2])
    assert not floats[:, 16:].any()


def test_the_inner_loop_counts_in_vectors_without_spilling():
    """What the speed rests on: the fastest target's loop has its counters in registers, and one count a vector."""
    target = find_target()
    if target.name != "vpopcntdq":
        pytest.skip("needs VPOPCNTDQ")
    code = assembly(target, Kernel("binary", ("fused", "add", "store", "sign"), 8, 0, 2))
    [loop] = [block for block in code.split(".LBB") if "vpopcntd" in block]
    assert loop.count("vpopcntd") == 16
    assert not [line for line in loop.splitlines() if "zmm" in line and "(%rsp)" in line]


class _Arm(Target):
    def machine(self):
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        triple = binding.Target.from_triple("aarch64-unknown-linux-gnu")
        return triple.create_target_machine(cpu="cortex-a76", opt=3)


@pytest.mark.parametrize(
    ("kind", "instructions"), [("binary", [r"cnt\s+v", r"add\s+v\d+\.16b"]), ("real", [r"fmla\s+v"])]
)
def test_processors_of_another_kind_count_in_vectors(kind, instructions):
    """No such machine is here to run it, but what would run can be read: vector instructions, no spills, no calls."""
    [target] = _OTHER_TARGETS
    code = assembly(_Arm(**vars(target)), Kernel(kind, ("fused", "add", "store", "sign"), target.pixels, 0, 2))
    loop = max(code.split(".LBB"), key=lambda block: len(re.findall(rf"\b{instructions[0]}", block)))
    for instruction in instructions:  # vectors of 8 lanes are two registers each
        assert len(re.findall(rf"\b{instruction}", loop)) == 2 * 2 * target.pixels
    assert "[sp" not in loop
    assert not re.findall(r"\bbl\b", code)


def test_threads_share_one_compiler(monkeypatch):
    make = _kernels._Compiler.__init__

    def make_slowly(self, target):
        time.sleep(0.05)
        make(self, target)

    monkeypatch.setattr(_kernels._Compiler, "__init__", make_slowly)
    monkeypatch.setattr(_kernels, "_make_compiler", cache(_kernels._Compiler))
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(_kernels._compiler, [find_target(None)] * 4))) == 1
