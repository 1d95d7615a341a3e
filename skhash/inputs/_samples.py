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
_GREY = ("1", "L", "I", "F")  # modes of PIL
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

    @property
    def integer(self):
        """Whether pixels are integers, which are divided by 255."""
        return self.data.dtype.kind in "iu"

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
        values = self.data[index].astype(self.data.dtype.newbyteorder("="), copy=isinstance(index, slice))
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
    integer = True

    @classmethod
    def like_first(cls, items, size=None):
        """Take the number of channels from the first image, one if it is grey, else three; and without `size` that."""
        image = _open(items[0])
        channels = 1 if image.mode in _GREY else 3
        return cls(items, (channels, *(size or (image.height, image.width))))

    def __len__(self):
        return len(self.items)

    def batch(self, rows, dtype=torch.float32):
        """Give some samples as a tensor; see `Samples.batch`."""
        return _scale(torch.from_numpy(np.stack([self._read(self.items[row]) for row in rows])), dtype)

    def _read(self, item):
        channels, height, width = self.sample_shape
        image = _open(item).convert("L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = image.resize((width, height))
        return np.array(image).reshape(height, width, channels).transpose(2, 0, 1)


@dataclass(frozen=True)
class DatasetSamples:
    """A torch Dataset whose items are tensors, arrays or PIL images of one size, alone or first in a tuple.

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
        return cls(dataset, tuple(_first(dataset[0]).shape))

    @property
    def kind(self):
        """Either "features" or "images"."""
        return "features" if len(self.sample_shape) == 1 else "images"

    def __len__(self):
        return len(self.dataset)

    def batch(self, rows, dtype=torch.float32):
        """Give some samples as a tensor; see `Samples.batch`."""
        return _scale(torch.stack([self._read(int(row)) for row in rows]), dtype)

    @property
    def integer(self):
        """Whether pixels are integers, which are divided by 255."""
        return _is_integer(_first(self.dataset[0]))

    def _read(self, row):
        item = _first(self.dataset[row])
        if tuple(item.shape) != self.sample_shape:
            raise ValueError(f"Item {row} of the Dataset has shape {tuple(item.shape)}, expected {self.sample_shape}.")
        return item

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

    @property
    def integer(self):
        """Whether pixels are integers, which are divided by 255."""
        return self.samples.integer

    def __len__(self):
        return len(self.rows)

    def batch(self, rows, dtype=torch.float32):
        """Give some samples as a tensor; see `Samples.batch`."""
        return self.samples.batch(self.rows[np.asarray(rows)], dtype)


def read_images(X, shape=None, size=None):
    """Read anything but a feature matrix.

    Parameters
    ----------
    X : array, tensor, list of paths or PIL images, or torch Dataset
        Anything that is no two-dimensional array.
    shape : tuple of int, default=None
        (channels, height, width) that the samples must have. Image files are resized to it; other images of another
        shape are an error. None takes the shape from the samples (for files, from the first).
    size : int or tuple of (int, int), default=None
        Without `shape`, the height and width that image files are resized to.

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
    elif (files := _read_files(X)) is not None:
        known = shape is not None and len(shape) == 3
        samples = ImageFiles(files, tuple(shape)) if known else ImageFiles.like_first(files, _read_size(size))
    elif getattr(X, "ndim", 2) > 2:
        samples = Samples(_read_image_array(X))
    elif isinstance(X, (list, tuple)) and X and getattr(X[0], "ndim", 0) > 1:
        return read_images(_stack(X), shape)
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


def _stack(images):
    """Make one array or tensor of a list of them."""
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise ValueError(f"X is a list of arrays of shapes {sorted(shapes)}; images in memory must be alike.")
    return torch.stack(list(images)) if hasattr(images[0], "detach") else np.stack(images)


def _read_files(X):
    """Give a list of paths or PIL images, from any sequence of them, as a list; None if `X` is something else."""
    if hasattr(X, "to_numpy") and getattr(X, "ndim", 0) == 1:
        X = X.to_numpy()
    if not isinstance(X, (list, tuple, np.ndarray)) or len(X) == 0 or (np.ndim(X[0]) > 0 and not _is_pil(X[0])):
        return None
    if not (isinstance(X[0], (str, os.PathLike)) or _is_pil(X[0])):
        return None
    for number, item in enumerate(X):
        if not (isinstance(item, (str, os.PathLike)) or _is_pil(item)):
            raise ValueError(f"X[{number}] is {type(item).__name__}; a list of images holds paths or PIL images.")
    return list(X)


def _read_size(size):
    """Check an `image_size` and give height and width."""
    if size is None:
        return None
    size = (size, size) if isinstance(size, int) else tuple(size)
    if len(size) != 2 or not all(isinstance(side, int) and side >= 1 for side in size):
        raise ValueError(f"image_size must be a positive integer or a pair (height, width) of them, got {size!r}.")
    return size


def _is_pil(item):
    return hasattr(item, "convert") and hasattr(item, "resize")


def _open(item):
    """Give an upright PIL image of 8 bits per channel, decoded; name the file if that fails."""
    if _is_pil(item):
        return _decode(item)
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading image files")
    try:
        with image_module.open(item) as image:
            return _decode(image)
    except image_module.UnidentifiedImageError as error:
        raise ValueError(f"X: {str(item)!r} is no image file that Pillow can read.") from error
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise ValueError(f"X: {str(item)!r} is damaged: {error}.") from error


def _decode(image):
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading images")
    image_ops = import_optional("PIL.ImageOps", extra="vision", purpose="Reading images")
    image = image_ops.exif_transpose(image)  # a copy, also where there is nothing to turn
    if image.mode.startswith("I;16"):  # conversion to 8 bits would clip, not scale
        image = image_module.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def _first(item):
    """Take the sample out of a Dataset's item, images with their channels first."""
    item = item[0] if isinstance(item, (tuple, list)) else item
    if _is_pil(item):
        item = np.array(_open(item))
    is_tensor = hasattr(item, "detach")
    item = torch.as_tensor(item if is_tensor else np.asarray(item))
    if item.ndim == 2:
        return item[None]
    if item.ndim == 3:
        for last in (False, True) if is_tensor else (True, False):
            if item.shape[-1 if last else 0] in _CHANNELS:
                return item.permute(2, 0, 1) if last else item
    if item.ndim != 1:
        raise ValueError(f"Items of a Dataset must be features (d,) or images, got shape {tuple(item.shape)}.")
    return item


def _is_integer(values):
    return not values.dtype.is_floating_point and values.dtype != torch.bool


def _scale(values, dtype):
    """Map integer pixels to [0, 1]; keep floating-point and boolean values."""
    return values.to(dtype) / 255 if values.ndim == 4 and _is_integer(values) else values.to(dtype)
