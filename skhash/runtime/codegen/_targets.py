"""Targets of the kernels: how wide vectors are and how bits are counted in them."""

from __future__ import annotations

import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from llvmlite import binding

__all__ = ["Target", "find_target", "list_targets"]

_X86 = platform.machine().lower() in ("x86_64", "amd64")


@dataclass(frozen=True)
class Target:
    """One way to generate kernels.

    Parameters
    ----------
    name : str
        Name for users.
    lanes : int
        32-bit lanes of a vector, 8 or 16; LLVM splits vectors that are wider than the processor's.
    counts_in_lanes : bool
        Whether bits are counted in whole lanes (needs an instruction for it) rather than in bytes, which every
        processor can do; counts in bytes are added up every 31 words.
    pixels : int
        Largest number of pixels of a tile; its `pixels` x 2 vectors of sums must fit the registers.
    multiplies_bytes : bool
        Whether there is an instruction for sums of four products of bytes.
    cpu, features : str
        Processor and features that LLVM compiles for; "" is this machine.
    needs : tuple of str
        Features of the processor that the kernels require.
    """

    name: str
    lanes: int
    counts_in_lanes: bool
    pixels: int
    multiplies_bytes: bool = False
    cpu: str = ""
    features: str = ""
    needs: tuple[str, ...] = ()

    def machine(self) -> binding.TargetMachine:
        """Return a target machine of LLVM."""
        _initialize()
        here = not self.cpu
        return binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name() if here else self.cpu,
            features=binding.get_host_cpu_features().flatten() if here else self.features,
            opt=3,
            jit=True,
        )


_AVX512 = ("avx512f", "avx512bw", "avx512vl", "avx512dq")
_X86_TARGETS = (
    Target("vpopcntdq", 16, True, 8, True, needs=(*_AVX512, "avx512vpopcntdq", "avx512vnni")),
    Target("avx512", 16, False, 7, cpu="skylake-avx512", needs=_AVX512),
    Target("avx2", 8, False, 4, cpu="haswell", needs=("avx2", "fma", "bmi2")),
    Target("generic", 8, False, 2, cpu="x86-64"),
)
_OTHER_TARGETS = (Target("generic", 8, False, 4),)


@cache
def list_targets() -> tuple[Target, ...]:
    """Return the targets that this machine can run, the fastest first.

    Returns
    -------
    targets : tuple of Target
        Never empty: "generic" runs everywhere.
    """
    features = binding.get_host_cpu_features()
    targets = _X86_TARGETS if _X86 else _OTHER_TARGETS
    return tuple(target for target in targets if all(features.get(name) for name in target.needs))


def find_target(name: str | None = None) -> Target:
    """Return a target by name, None for the fastest; `ValueError` if this machine cannot run it."""
    names = [target.name for target in list_targets()]
    if name is None:
        return list_targets()[0]
    if name not in names:
        raise ValueError(f"target must be None or one of {names}, which this machine can run; got {name!r}.")
    return list_targets()[names.index(name)]


@cache
def _initialize() -> None:
    with suppress(RuntimeError):  # newer versions of llvmlite initialize themselves and refuse the call
        binding.initialize()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
