"""Read images of any accepted form as samples.

Images may be an array or tensor of shape (n, height, width), (n, height, width, channels) or (n, channels, height,
width), a list of file paths or PIL images, or a torch Dataset. Features are vectors, (n, n_features).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils import check_array

from skhash.inputs._decoding import channels_are_last, is_pil
from skhash.inputs._samples import DatasetSamples, ImageFiles, Samples
from skhash.utils import to_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import SamplesLike

_SHAPES = (
    "(n, height, width), (n, height, width, channels) or (n, channels, height, width) with 1, 3 or 4 channels, a list "
    "of paths or PIL images, or a torch Dataset"
)


def read_images(
    X: SamplesLike,
    shape: Sequence[int] | None = None,
    size: int | tuple[int, int] | None = None,
    background: str | tuple[int, int, int] = "white",
) -> Samples | ImageFiles | DatasetSamples | None:
    """Read samples in any form except a feature matrix.

    Parameters
    ----------
    X : array, tensor, list of paths or PIL images, or torch Dataset
        Any input except a two-dimensional array.
    shape : sequence of int, default=None
        Required shape of the samples, (channels, height, width). Image files are resized to it; for other images, a
        different shape is an error. None takes the shape from the samples (for files, from the first one).
    size : int or tuple of (int, int), default=None
        Height and width to which image files are resized if `shape` is None.
    background : str or tuple of int, default="white"
        Color, as Pillow names it, on which transparent files and PIL images are composited. Arrays are not composited:
        their fourth channel is kept.

    Returns
    -------
    samples : Samples, ImageFiles, DatasetSamples or None
        None if `X` looks like features, which scikit-learn's validation checks.

    Raises
    ------
    ValueError
        If the samples do not have a valid shape, or a different one from `shape`.
    TypeError
        If `X` is a single path, an IterableDataset or a DataLoader.
    """
    _refuse_other_types(X)
    if isinstance(X, torch.utils.data.Dataset):
        if len(X) == 0:  # pyright: ignore[reportArgumentType]  # map-style Datasets have a length
            raise ValueError("Found a Dataset with 0 sample(s) while a minimum of 1 is required.")
        samples = DatasetSamples.like_first(X)
    elif (files := _read_files(X)) is not None:
        if shape is not None and len(shape) == 3:
            samples = ImageFiles(files, (shape[0], shape[1], shape[2]), background)
        else:
            samples = ImageFiles.like_first(files, _check_size(size), background)
    elif getattr(X, "ndim", 2) > 2:
        samples = Samples(_read_image_array(X))
    elif isinstance(X, (list, tuple)) and X and getattr(X[0], "ndim", 0) > 1:
        return read_images(_stack(X), shape, background=background)
    else:
        return None
    if shape is not None and tuple(samples.sample_shape) != tuple(shape):
        raise ValueError(f"X has samples of shape {tuple(samples.sample_shape)}, but {tuple(shape)} was seen in fit.")
    return samples


def _refuse_other_types(X: Any) -> None:
    """Raise TypeError for a single path, an IterableDataset or a DataLoader."""
    if isinstance(X, (str, os.PathLike)):
        raise TypeError(
            f"X is the single path {str(X)!r}; expected a list of paths of image files, for instance "
            f"sorted(pathlib.Path({str(X)!r}).glob('*.jpg')) for a folder."
        )
    if isinstance(X, torch.utils.data.DataLoader):
        raise TypeError("X is a DataLoader; expected its Dataset: pass X.dataset.")
    if isinstance(X, torch.utils.data.IterableDataset):
        raise TypeError("X is an IterableDataset; expected a Dataset with __len__ and __getitem__.")


def _read_image_array(X: Any) -> NDArray[Any]:
    """Return an image array as (n, channels, height, width)."""
    is_tensor = hasattr(X, "detach")
    X = to_numpy(X, "X")
    X = check_array(X, allow_nd=True, dtype="numeric", ensure_min_features=0)
    if X.dtype.kind in "iu" and X.dtype != np.uint8 and (X.min() < 0 or X.max() > 255):
        raise ValueError(
            f"X has integer pixels from {X.min()} to {X.max()}; expected 0 to 255. Scale them, or pass floats, which "
            "are used as they are."
        )
    if X.ndim == 3:
        return X[:, None]
    if X.ndim == 4:
        last = channels_are_last(X.shape[1:], is_tensor=is_tensor)
        if last is not None:
            return X.transpose(0, 3, 1, 2) if last else X
    raise ValueError(
        f"X has shape {X.shape}; expected images of shape {_SHAPES}, or features of shape (n, n_features)."
    )


def _stack(images: Sequence[Any]) -> Any:
    """Stack a list of arrays or tensors."""
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise ValueError(f"X is a list of arrays of shapes {sorted(shapes)}; expected images of one shape.")
    return torch.stack(list(images)) if hasattr(images[0], "detach") else np.stack(images)


def _read_files(X: Any) -> list[Any] | None:
    """Return a sequence or column of paths or PIL images as a list, or None if `X` is anything else."""
    if hasattr(X, "to_numpy"):
        n_dims = len(getattr(X, "shape", (0,)))
        if n_dims == 1 or (n_dims == 2 and X.shape[1] == 1):
            X = np.asarray(X.to_numpy())
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OU":
        X = X[:, 0]
    if not isinstance(X, (list, tuple, np.ndarray)) or len(X) == 0 or (np.ndim(X[0]) > 0 and not is_pil(X[0])):
        return None
    if not (isinstance(X[0], (str, os.PathLike)) or is_pil(X[0])):
        return None
    for number, item in enumerate(X):
        if not (isinstance(item, (str, os.PathLike)) or is_pil(item)):
            raise ValueError(f"X[{number}] is {type(item).__name__}; expected a path or a PIL image, as in X[0].")
    return list(X)


def _check_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Check the parameter `image_size` and return height and width."""
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int) and side >= 1 for side in pair):
        raise ValueError(f"image_size must be a positive integer or a pair (height, width) of them, got {pair!r}.")
    return pair
