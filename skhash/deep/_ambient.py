"""Isolation of training from torch's ambient state: grad mode, inference mode, autocast and the default dtype."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_LOCK = threading.Lock()


class _DefaultDtype:
    """Count of the trainings in progress, and the default dtype that the user had set before the first of them."""

    running = 0
    before = torch.float32


@contextmanager
def isolated_training() -> Iterator[None]:
    """Train as if no torch context of the caller were active, and restore the caller's state afterwards.

    The block runs with gradients, without inference mode and autocast, and with the default dtype float32. The state is
    also restored after KeyboardInterrupt, which may interrupt one of torch's own contexts while it restores grad mode.

    Yields
    ------
    None
        The block runs once.
    """
    accelerator = torch.accelerator.current_accelerator()
    devices = ["cpu"] if accelerator is None else ["cpu", accelerator.type]
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in devices:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        stack.enter_context(_float32_by_default())
        yield


@contextmanager
def _float32_by_default() -> Iterator[None]:
    # The default dtype belongs to the process. So the first of several trainings in threads sets it, and the last one
    # restores it.
    with _LOCK:
        if _DefaultDtype.running == 0:
            _DefaultDtype.before = torch.get_default_dtype()
            torch.set_default_dtype(torch.float32)
        _DefaultDtype.running += 1
    try:
        yield
    finally:
        with _LOCK:
            _DefaultDtype.running -= 1
            if _DefaultDtype.running == 0:
                torch.set_default_dtype(_DefaultDtype.before)
