"""Whatever people keep images and features in, as one thing: samples that give batches of tensors.

Images may be an array or tensor of shape (n, height, width), (n, height, width, channels) or (n, channels, height,
width), a list of file paths or PIL images, or a torch Dataset. Features are vectors, (n, n_features).
"""

import os
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils import check_array

from skhash.utils import import_optional

_CHANNELS = (1, 3, 4)
_SHAPES = (
    "(n, height, width), (n, height, width, channels) or (n, channels, height, width) with 1, 3 or 4 channels, a list "
    "of paths or PIL images, or a torch Dataset"
)


@dataclass(frozen=True)
class Samples:
    """Samples in memory.

    Parameters
    ----------
    data : ndarray
        Features (n, n_features), or images (n, channels, height, width), uint8 or float.
    """

    data: np.ndarray

    @property
    def sample_shape(self):
        """Shape of one sample: (n_features,) or (channels, height, width)."""
        return self.data.shape[1:]

    @property
    def kind(self):
        """Either "features" or "images"."""
        return "features" if len(self.sample_shape) == 1 else "images"

    def __len__(self):
        return len(self.data)

    def batch(self, rows, dtype=torch.float32):
        """Give some samples as a tensor.

        Parameters
        ----------
        rows : sequence of int
            Which.
        dtype : torch.dtype, default=torch.float32
            Of the result. Integer pixels are divided by 255, floating-point ones are left as they are.

        Returns
        -------
        batch : Tensor of shape `(len(rows), *sample_shape)`
            On the CPU.
        """
        index = slice(rows.start, rows.stop) if isinstance(rows, range) else np.asarray(rows)
        # A copy also where a slice would do: read-only and byte-swapped memory is no ground for a tensor.
        values = np.array(self.data[index], dtype=self.data.dtype.newbyteorder("="))
        return _scale(torch.from_numpy(values), dtype)


@dataclass(frozen=True)
class ImageFiles:
    """Images as paths or PIL objects, decoded batch by batch.

    Parameters
    ----------
    items : sequence of str, Path or PIL.Image.Image
        The images.
    sample_shape : tuple of int
        (channels, height, width) that every image is brought to.
    """

    items: object
    sample_shape: tuple
    kind = "images"

    @classmethod
    def like_first(cls, items):
        """Take the shape from the first image: grey if it is, else three channels."""
        with _open(items[0]) as image:
            channels = 1 if image.mode in ("1", "L", "I", "F", "I;16") else 3
            return cls(items, (channels, image.height, image.width))

    def __len__(self):
        return len(self.items)

    def batch(self, rows, dtype=torch.float32):
        """Give some samples as a tensor; see `Samples.batch`."""
        return _scale(torch.from_numpy(np.stack([self._read(self.items[row]) for row in rows])), dtype)

    def _read(self, item):
        channels, height, width = self.sample_shape
        with _open(item) as image:
            image = image.convert("L" if channels == 1 else "RGB")
            if image.size != (width, height):
                image = image.resize((width, height))
            return np.array(image).reshape(height, width, channels).transpose(2, 0, 1)


@dataclass(frozen=True)
class DatasetSamples:
    """A torch Dataset whose items are tensors or arrays, alone or first in a tuple.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        With `__len__` and `__getitem__`.
    sample_shape : tuple of int
        (n_features,) or (channels, height, width) of every item.
    """

    dataset: object
    sample_shape: tuple

    @classmethod
    def like_first(cls, dataset):
        """Take the shape from the first item."""
        shape = tuple(_first(dataset[0]).shape)
        if len(shape) not in (1, 3):
            raise ValueError(f"Items of a Dataset must be (n_features,) or (channels, height, width), got {shape}.")
        return cls(dataset, shape)

    @property
    def kind(self):
        """Either "features" or "images"."""
        return "features" if len(self.sample_shape) == 1 else "images"

    def __len__(self):
        return len(self.dataset)

    def batch(self, rows, dtype=torch.float32):
        """Give some samples as a tensor; see `Samples.batch`."""
        return _scale(torch.stack([_first(self.dataset[int(row)]) for row in rows]), dtype)

    def targets(self):
        """Read the labels: the dataset's `targets`, as torchvision's have, or the second part of every item."""
        if hasattr(self.dataset, "targets"):
            return np.asarray(self.dataset.targets)
        items = [self.dataset[row] for row in range(len(self.dataset))]
        if not isinstance(items[0], (tuple, list)) or len(items[0]) < 2:
            return None
        return np.stack([np.asarray(item[1]) for item in items])


@dataclass(frozen=True)
class SampleSubset:
    """Some rows of other samples.

    Parameters
    ----------
    samples : Samples
        All of them.
    rows : ndarray of int64
        Which to take.
    """

    samples: object
    rows: np.ndarray

    @property
    def sample_shape(self):
        """Shape of one sample."""
        return self.samples.sample_shape

    @property
    def kind(self):
        """Either "features" or "images"."""
        return self.samples.kind

    def __len__(self):
        return len(self.rows)

    def batch(self, rows, dtype=torch.float32):
        """Give some samples as a tensor; see `Samples.batch`."""
        return self.samples.batch(self.rows[np.asarray(rows)], dtype)


def read_images(X, shape=None):
    """Read anything but a feature matrix.

    Parameters
    ----------
    X : array, tensor, list of paths or PIL images, or torch Dataset
        Anything that is no two-dimensional array.
    shape : tuple of int, default=None
        (channels, height, width) that the samples must have. Image files are resized to it; other images of another
        shape are an error. None takes the shape from the samples (for files, from the first).

    Returns
    -------
    samples : Samples, ImageFiles, DatasetSamples or None
        None if `X` looks like features, for scikit-learn's validation to judge.

    Raises
    ------
    ValueError
        If the samples have no legal shape, or another one than `shape`.
    """
    if isinstance(X, torch.utils.data.Dataset):
        if len(X) == 0:
            raise ValueError("Found a Dataset with 0 sample(s) while a minimum of 1 is required.")
        samples = DatasetSamples.like_first(X)
    elif _are_files(X):
        samples = ImageFiles.like_first(X) if shape is None or len(shape) != 3 else ImageFiles(X, tuple(shape))
    elif getattr(X, "ndim", 2) > 2:
        samples = Samples(_read_image_array(X))
    else:
        return None
    if shape is not None and tuple(samples.sample_shape) != tuple(shape):
        raise ValueError(f"X has samples of shape {tuple(samples.sample_shape)}, but {tuple(shape)} was seen in fit.")
    return samples


def _read_image_array(X):
    """Bring an image array to (n, channels, height, width)."""
    is_tensor = hasattr(X, "detach")
    X = X.detach().cpu().numpy() if is_tensor else X
    X = check_array(X, allow_nd=True, dtype="numeric", ensure_min_features=0)
    if X.ndim == 3:
        return X[:, None]
    if X.ndim == 4:
        # numpy's images have their channels last and torch's first, which settles what could be either.
        for last in (False, True) if is_tensor else (True, False):
            if X.shape[-1 if last else 1] in _CHANNELS:
                return X.transpose(0, 3, 1, 2) if last else X
    raise ValueError(f"X has shape {X.shape}; images are taken as {_SHAPES}, features as (n, n_features).")


def _are_files(X):
    """Tell whether `X` is a non-empty list or 1-D array of paths or PIL images."""
    if isinstance(X, np.ndarray) and X.ndim != 1:
        return False
    if not isinstance(X, (list, tuple, np.ndarray)) or len(X) == 0:
        return False
    first = X[0]
    return isinstance(first, (str, os.PathLike)) or (hasattr(first, "convert") and hasattr(first, "resize"))


def _open(item):
    """Open a path; hand on a copy of a PIL image, which the caller may close."""
    if not isinstance(item, (str, os.PathLike)):
        return item.copy()
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading image files")
    try:
        return image_module.open(item)
    except image_module.UnidentifiedImageError as error:
        raise ValueError(f"X: {str(item)!r} is no image file that Pillow can read.") from error


def _first(item):
    """Take the sample out of a Dataset's item."""
    return torch.as_tensor(np.asarray(item[0] if isinstance(item, (tuple, list)) else item))


def _scale(values, dtype):
    """Map integer pixels to [0, 1]; keep floating-point values."""
    if values.ndim == 4 and not values.dtype.is_floating_point:
        return values.to(dtype) / 255
    return values.to(dtype)
