"""Resolution of a `device` parameter."""

from __future__ import annotations

import os
import re

import torch

from skhash.training._ranks import FabricLike


def resolve_device(device: str | torch.device | FabricLike = "auto") -> torch.device:
    """Resolve a `device` parameter.

    Parameters
    ----------
    device : str, torch.device or Fabric, default="auto"
        "auto" takes the environment variable `SKHASH_DEVICE` if it is set, else the accelerator that torch finds, else
        the CPU. A `lightning_fabric.Fabric` has a device for each of its processes. Any other value is passed to
        `torch.device`.

    Returns
    -------
    device : torch.device
        The device.

    Raises
    ------
    ValueError
        If the device is not available.

    Examples
    --------
    >>> from skhash.training import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if isinstance(device, FabricLike):
        return device.device
    if device == "auto":
        device = os.environ.get("SKHASH_DEVICE") or torch.accelerator.current_accelerator(check_available=True) or "cpu"
    # Allocating is the test: torch.device() also accepts devices that this machine does not have.
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, ImportError) as error:
        # Torch appends a page about its backends, and a stack trace, to some of its messages.
        reason = re.split(r"\n|(?<=\.) ", str(error).strip())[0]
        names = "'cuda', 'auto' or 'cpu'" if str(device).lower().startswith("gpu") else "'auto' or 'cpu'"
        raise ValueError(f"device={device!r} is not available: {reason.rstrip('. ')}; use {names}.") from error
