"""Resolution of a `precision` parameter."""

from __future__ import annotations

from typing import Literal

import torch
from llvmlite import binding

# As LLVM names them: AVX-512 BF16 and AMX of x86, BF16 of Arm. Without them torch emulates, slower than float32.
_INSTRUCTIONS = ("avx512bf16", "amx-bf16", "bf16")


def resolve_precision(
    precision: Literal["auto", "float32", "bfloat16"], device: torch.device, *, automatic: bool
) -> torch.dtype | None:
    """Resolve a `precision` parameter.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        "auto" is "bfloat16" on a CPU with instructions for it if `automatic`, else "float32".
    device : torch.device
        Device to train on.
    automatic : bool
        Whether the network is one that was measured to train as well, and faster, in bfloat16.

    Returns
    -------
    dtype : torch.dtype or None
        What the attribute `autocast_dtype` of a `HashNetwork` is set to.

    Raises
    ------
    ValueError
        If the device cannot compute in bfloat16.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import resolve_precision
    >>> resolve_precision("bfloat16", torch.device("cpu"), automatic=False)
    torch.bfloat16
    """
    if precision == "auto":
        return torch.bfloat16 if automatic and device.type == "cpu" and has_bfloat16() else None
    if precision == "float32":
        return None
    if not torch.amp.is_autocast_available(device.type) or (
        device.type == "cuda" and not torch.cuda.is_bf16_supported()
    ):
        raise ValueError(f"precision='bfloat16' is not available on device {device}; use 'float32' or 'auto'.")
    return torch.bfloat16


def has_bfloat16() -> bool:
    """Return whether the CPU has instructions that multiply matrices of bfloat16.

    Returns
    -------
    has : bool
        What LLVM finds out about the processor.
    """
    features = binding.get_host_cpu_features()
    return any(features.get(name, False) for name in _INSTRUCTIONS)
