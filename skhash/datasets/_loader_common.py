"""Parameters that loaders of data sets share, and the `Bunch` of those with a training and a test part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import Bunch

from skhash.utils import StrOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBSETS: dict[str, tuple[str, ...]] = {"all": ("train", "test"), "train": ("train",), "test": ("test",)}

LOAD_CONSTRAINTS: dict[str, list[Any]] = {
    "data_home": [str, os.PathLike, None],
    "image_folder": [str, os.PathLike, None],
}

FETCH_CONSTRAINTS: dict[str, list[Any]] = {
    "data_home": [str, os.PathLike, None],
    "subset": [StrOptions(set(SUBSETS))],
    "download": ["boolean"],
    "return_X_y": ["boolean"],
}


def join_parts(parts: Mapping[str, tuple[NDArray[np.uint8], NDArray[Any]]], **fields: Any) -> Bunch:
    """Build a `Bunch` from `{"train": (images, labels), "test": (images, labels)}`, one part after the other."""
    images, labels = zip(*parts.values(), strict=True)
    return Bunch(
        images=np.concatenate(images),
        target=np.concatenate(labels).astype(np.int64),
        is_test=np.repeat([part == "test" for part in parts], [len(each) for each in labels]),
        **fields,
    )
