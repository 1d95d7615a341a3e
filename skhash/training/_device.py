"""Where to compute."""

import os

import torch


def resolve_device(device="auto"):
    """Resolve a `device` parameter.

    Parameters
    ----------
    device : str or torch.device, default="auto"
        "auto" takes the environment variable `SKHASH_DEVICE` if it is set, else the accelerator that torch finds, else
        the CPU. Anything else is what `torch.device` takes.

    Returns
    -------
    device : torch.device
        The device.

    Raises
    ------
    ValueError
        If torch has no such device here.

    Examples
    --------
    >>> from skhash.training import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        device = os.environ.get("SKHASH_DEVICE") or torch.accelerator.current_accelerator(check_available=True) or "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={device!r} is none that torch has here ({error}); try 'auto' or 'cpu'.") from error
