"""What loaders of data sets share: their parameters, and what those with a training and a test part return."""

import os

import numpy as np
from sklearn.utils import Bunch

from skhash.utils import StrOptions

SUBSETS = {"all": ("train", "test"), "train": ("train",), "test": ("test",)}

LOAD_CONSTRAINTS = {
    "data_home": [str, os.PathLike, None],
    "image_folder": [str, os.PathLike, None],
}

FETCH_CONSTRAINTS = {
    "data_home": [str, os.PathLike, None],
    "subset": [StrOptions(set(SUBSETS))],
    "download": ["boolean"],
    "return_X_y": ["boolean"],
}


def join_parts(parts, **about):
    """Make a `Bunch` of `{"train": (images, labels), "test": (images, labels)}`, one part after the other."""
    images, labels = zip(*parts.values(), strict=True)
    return Bunch(
        images=np.concatenate(images),
        target=np.concatenate(labels).astype(np.int64),
        is_test=np.repeat([part == "test" for part in parts], [len(each) for each in labels]),
        **about,
    )
