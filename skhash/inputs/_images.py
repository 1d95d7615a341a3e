"""Read images of any accepted form as samples.

Images may be an array or tensor of shape (n, height, width), (n, height, width, channels) or (n, channels, height,
width), a folder, a list of file paths or PIL images, or a torch Dataset. Features are vectors, (n, n_features).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.utils import check_array

from skhash.images import find_images
from skhash.inputs._decoding import channels_are_last
from skhash.inputs._samples import DatasetSamples, ImageFiles, Samples
from skhash.utils import (
    check_option,
    is_array_like,
    is_pil,
    map_threads,
    measure_image,
    read_color,
    read_pixels,
    to_numpy,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import SamplesLike

_SHAPES = (
    "(n, height, width), (n, height, width, channels) or (n, channels, height, width) with 1, 3 or 4 channels, a "
    "folder, a list of paths or PIL images, or a torch Dataset"
)
_SIZE = (224, 224)  # of files of different sizes: what most networks for photos are made for


def read_images(
    X: SamplesLike | Samples | ImageFiles | DatasetSamples,
    shape: Sequence[int] | None = None,
    size: int | tuple[int, int] | None = None,
    background: str | tuple[int, int, int] = "white",
    mode: Literal["RGB", "L"] = "RGB",
    *,
    cache_limit: int | None = None,
    n_jobs: int | None = None,
    draft: bool = False,
) -> Samples | ImageFiles | DatasetSamples | None:
    """Read samples in any form except a feature matrix.

    Parameters
    ----------
    X : array, tensor, folder, list of paths or PIL images, or torch Dataset
        Any input except a two-dimensional array. A folder or a pattern such as ``"photos/**/*.jpg"`` stands for the
        sorted paths that `skhash.images.find_images` returns. Samples that this function has returned keep their
        `background`.
    shape : sequence of int, default=None
        Required shape of the samples, (channels, height, width). Image files are resized to it and become gray or
        color; for other images, a different shape is an error. None takes the shape from the samples.
    size : int or tuple of (int, int), default=None
        Height and width to which files and PIL images in a list are resized if `shape` is None. None takes their own
        size if it is the same for all; otherwise 224 x 224 with a warning.
    background : str or tuple of int, default="white"
        Color, as Pillow names it, on which files, PIL images and arrays of integers with alpha are composited.
    mode : {"RGB", "L"}, default="RGB"
        What files and PIL images are converted to if `shape` is None: color or gray. Gray images have three equal
        channels in "RGB".
    cache_limit : int, default=None
        Most bytes of decoded pixels of files and PIL images that are kept in memory, so that each is decoded once. 0
        keeps none. None keeps none either until the samples are passed to the `fit` of a deep hasher, which takes
        1 GiB then.
    n_jobs : int, default=None
        Number of threads that read files. None means 1 unless in a `joblib.parallel_config` context; -1 means all
        cores.
    draft : bool, default=False
        Whether JPEG files are decoded at a half, a quarter or an eighth of their size where that leaves at least twice
        the height and width to which they are resized: four times faster for photos, with slightly different pixels.
        Samples that this function has returned keep theirs.

    Returns
    -------
    samples : Samples, ImageFiles, DatasetSamples or None
        None if `X` looks like features, which scikit-learn's validation checks.

    Raises
    ------
    ValueError
        If the samples do not have a valid shape, or a different one from `shape`, if pixels are out of range, if a
        folder has no image files, or if `shape` is None and the header of a file cannot be read.
    TypeError
        If `X` is the path of a single file, an IterableDataset, a DataLoader or not array-like, or pixels are not real
        numbers.
    """
    _refuse_other_types(X)
    check_option("mode", mode, ("RGB", "L"))
    read_color(background)
    fitted = (shape[0], shape[1], shape[2]) if shape is not None and len(shape) == 3 else None
    if fitted is not None:
        mode = "L" if fitted[0] == 1 else "RGB"
    if isinstance(X, ImageFiles):
        # A copy would lose the pixels that are kept.
        samples = X if fitted in (None, X.sample_shape) else replace(X, sample_shape=fitted)
    elif isinstance(X, Samples) and X.kind == "images":
        samples = Samples(read_pixels(X.data, background))
    elif isinstance(X, DatasetSamples):
        samples = X
    elif isinstance(X, torch.utils.data.Dataset):
        if len(X) == 0:  # pyright: ignore[reportArgumentType]  # map-style Datasets have a length
            raise ValueError("X: found a Dataset with 0 sample(s) while a minimum of 1 is required.")
        samples = DatasetSamples.like_first(X, background, mode)
    elif (files := _read_files(X)) is not None:
        if shape is not None and (fitted is None or fitted[0] not in (1, 3)):
            raise ValueError(
                f"X holds image files or PIL images, which have 1 or 3 channels, but samples of shape {tuple(shape)} "
                "were seen in fit."
            )
        channels = 1 if mode == "L" else 3
        height, width = fitted[1:] if fitted else _choose_size(files, size, n_jobs)
        samples = ImageFiles(files, (channels, height, width), background, cache_limit, n_jobs, draft)
    elif getattr(X, "ndim", 2) > 2:
        samples = Samples(_read_image_array(X, background, is_tensor=hasattr(X, "detach")))
    elif isinstance(X, (list, tuple)) and X and getattr(X[0], "ndim", 0) > 1:
        samples = Samples(_read_image_array(_stack(X), background, is_tensor=hasattr(X[0], "detach")))
    elif is_array_like(X):
        return None
    else:
        raise TypeError(
            f"X has type {type(X).__name__}; expected features of shape (n, n_features), or images of shape {_SHAPES}."
        )
    if shape is not None and tuple(samples.sample_shape) != tuple(shape):
        raise ValueError(f"X has samples of shape {tuple(samples.sample_shape)}, but {tuple(shape)} was seen in fit.")
    return samples


def _refuse_other_types(X: Any) -> None:
    """Raise TypeError for the path of a single file, an IterableDataset or a DataLoader."""
    if isinstance(X, (str, os.PathLike)) and os.path.isfile(X):
        raise TypeError(
            f"X is the single path {str(X)!r}; expected a folder or a list of paths, for instance [{str(X)!r}]."
        )
    if isinstance(X, torch.utils.data.DataLoader):
        raise TypeError("X is a DataLoader; expected its Dataset: pass X.dataset.")
    if isinstance(X, torch.utils.data.IterableDataset):
        raise TypeError("X is an IterableDataset; expected a Dataset with __len__ and __getitem__.")


def _read_image_array(X: Any, background: str | tuple[int, int, int], *, is_tensor: bool) -> NDArray[Any]:
    """Return an image array as (n, channels, height, width)."""
    X = to_numpy(X, "X")
    if X.dtype.kind in "buif":  # other types are refused below by one rule
        X = check_array(X, allow_nd=True, dtype="numeric", ensure_min_features=0, input_name="X")
    if X.ndim == 3:
        return read_pixels(X[:, None])
    if X.ndim == 4:
        last = channels_are_last(X.shape[1:], is_tensor=is_tensor)
        if last is not None:
            return read_pixels(X.transpose(0, 3, 1, 2) if last else X, background)
    raise ValueError(
        f"X has shape {X.shape}; expected images of shape {_SHAPES}, or features of shape (n, n_features)."
    )


def _stack(images: Sequence[Any]) -> NDArray[Any]:
    """Stack a list of arrays or tensors."""
    arrays = [to_numpy(image, f"X[{number}]") for number, image in enumerate(images)]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"X is a list of arrays of shapes {sorted(shapes)}; expected images of one shape.")
    types = {str(array.dtype) for array in arrays}
    if len(types) > 1:  # numpy would turn 8-bit pixels into floats, which are not scaled
        raise ValueError(f"X is a list of arrays of types {sorted(types)}; expected images of one type.")
    if len({hasattr(image, "detach") for image in images}) > 1:  # their axes may be ordered differently
        raise ValueError("X is a list of tensors and other arrays; expected either.")
    return np.stack(arrays)


def _read_files(X: Any) -> list[Any] | None:
    """Return a folder, a sequence or a column of paths or PIL images as a list, or None if `X` is anything else."""
    if isinstance(X, (str, os.PathLike)):
        return find_images(X)
    if type(X).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow"):
        n_dims = len(getattr(X, "shape", (0,)))  # a column of Arrow has none
        if n_dims == 1 or (n_dims == 2 and X.shape[1] == 1):
            X = to_numpy(X, "X")
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OU":
        X = X[:, 0]
    if isinstance(X, np.ndarray) and X.ndim == 0:
        return None
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


def _choose_size(files: Sequence[Any], size: int | tuple[int, int] | None, n_jobs: int | None) -> tuple[int, int]:
    """Return the height and width to which files are resized; read the headers of all, to find damaged ones now."""
    wanted = _check_size(size)
    n_threads = effective_n_jobs(n_jobs)  # pyright: ignore[reportArgumentType]  None is valid
    sizes = set(map_threads(measure_image, files, n_threads))
    if wanted is not None:
        return wanted
    if len(sizes) == 1:
        return sizes.pop()
    shown = ", ".join(f"{height} x {width}" for height, width in sorted(sizes)[:3])
    warnings.warn(
        f"X has images of {len(sizes)} sizes (height x width {shown}{', ...' if len(sizes) > 3 else ''}). All are "
        f"resized to {_SIZE[0]} x {_SIZE[1]}; choose another size by the parameter image_size of a hasher, or size of "
        "read_images.",
        UserWarning,
        stacklevel=4,
    )
    return _SIZE
