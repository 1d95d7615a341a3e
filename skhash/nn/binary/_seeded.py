"""Makers of networks whose weights a `random_state` can draw."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from sklearn.utils import check_random_state
from torch import nn

from skhash.nn._init import build

_Maker = TypeVar("_Maker", bound=Callable[..., nn.Module])


def seeded(maker: _Maker) -> _Maker:
    """Let a maker of a network take `random_state`.

    Parameters
    ----------
    maker : callable
        Makes a network of the library's layers.

    Returns
    -------
    maker : callable
        Also takes `random_state` among its options: an int, a RandomState instance, or None, with which torch's global
        state draws the weights.
    """

    @functools.wraps(maker)
    def make(*args: Any, random_state: Any = None, **options: Any) -> nn.Module:
        if random_state is None:
            return maker(*args, **options)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return build(maker, *args, generator=torch.Generator().manual_seed(seed), **options)

    return cast("_Maker", make)
