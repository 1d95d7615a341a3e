"""Samples that return batches of tensors: in memory, as image files, from a torch Dataset, or some rows of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
import torch
from joblib import effective_n_jobs

from skhash.inputs._decoding import channels_are_last, is_integer, scale_pixels
from skhash.perceptual import draft_side, open_picture
from skhash.utils import is_pil, map_threads, open_image, read_pixels, to_numpy

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    AnySamples: TypeAlias = "Samples | ImageFiles | DatasetSamples | SampleSubset"
    Kind: TypeAlias = Literal["features", "images"]
    Rows: TypeAlias = Sequence[int] | NDArray[Any] | torch.Tensor


@dataclass(frozen=True)
class Samples:
    """Samples in memory.

    Parameters
    ----------
    data : ndarray
        Features (n, n_features), or images (n, channels, height, width), uint8 or float.
    """

    data: NDArray[Any]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: (n_features,) or (channels, height, width)."""
        return self.data.shape[1:]

    @property
    def kind(self) -> Kind:
        """Either "features" or "images"."""
        return "features" if len(self.sample_shape) == 1 else "images"

    @property
    def integer(self) -> bool:
        """Whether the values are integers. Integer pixels are divided by 255."""
        return self.data.dtype.kind in "iu"

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, rows: Rows, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return some samples as a tensor.

        Parameters
        ----------
        rows : sequence of int
            Row numbers of the samples.
        dtype : torch.dtype, default=torch.float32
            Type of the result. Integer pixels are divided by 255; floating-point ones are not changed.

        Returns
        -------
        batch : Tensor of shape `(len(rows), *sample_shape)`
            The samples, on the CPU.
        """
        index = slice(rows.start, rows.stop) if isinstance(rows, range) else np.asarray(rows)
        # Copy slices, too: torch cannot use read-only or byte-swapped memory. Gray images need the strides of
        # the other forms, which torch does not change where there is one channel.
        values = self.data[index].astype(
            self.data.dtype.newbyteorder("="),
            order="C" if self.kind == "images" and self.sample_shape[0] == 1 and isinstance(index, slice) else "K",
            copy=isinstance(index, slice),
        )
        return scale_pixels(torch.from_numpy(values), dtype)


@dataclass(frozen=True)
class ImageFiles:
    """Images as paths or PIL objects, decoded batch by batch.

    Parameters
    ----------
    items : sequence of str, Path or PIL.Image.Image
        The images.
    sample_shape : tuple of int
        (channels, height, width) to which every image is converted: 1 channel is gray, 3 are red, green and blue.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.
    cache_limit : int, default=None
        Most bytes of decoded pixels that are kept in memory. The images that are decoded first are kept; the others are
        decoded each time. None or 0 keeps none.
    n_jobs : int, default=None
        Number of threads that decode. None means 1 unless in a `joblib.parallel_config` context; -1 means all cores.
    draft : bool, default=False
        Whether JPEG files are decoded at a half, a quarter or an eighth of their size where that leaves at least twice
        the height and width of `sample_shape`.
    """

    items: Sequence[Any]
    sample_shape: tuple[int, int, int]
    background: str | tuple[int, int, int] = "white"
    cache_limit: int | None = None
    n_jobs: int | None = None
    draft: bool = False
    kind: ClassVar[Kind] = "images"
    integer: ClassVar[bool] = True

    def __len__(self) -> int:
        return len(self.items)

    def batch(self, rows: Rows, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return some samples as a tensor; see `Samples.batch`."""
        numbers = [int(row) for row in rows]
        kept = self._kept
        missing = [row for row in dict.fromkeys(numbers) if row not in kept]
        n_threads = min(effective_n_jobs(self.n_jobs), len(missing) or 1)  # pyright: ignore[reportArgumentType]
        read = dict(zip(missing, map_threads(lambda row: self._read(self.items[row]), missing, n_threads), strict=True))
        for row, pixels in read.items():
            if len(kept) >= self._n_kept:
                break
            kept[row] = pixels
        images = [read[row] if row in read else kept[row] for row in numbers]
        return scale_pixels(torch.from_numpy(np.stack(images)), dtype)

    @cached_property
    def _kept(self) -> dict[int, NDArray[np.uint8]]:
        """Decoded pixels by row."""
        return {}

    @property
    def _n_kept(self) -> int:
        """Number of images whose pixels may be kept."""
        return (self.cache_limit or 0) // math.prod(self.sample_shape)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_kept"}

    def _read(self, item: Any) -> NDArray[np.uint8]:
        channels, height, width = self.sample_shape
        at_least = draft_side((height, width)) if self.draft else None
        image = open_picture(item, self.background, None, at_least).convert("L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = image.resize((width, height))
        return np.array(image).reshape(height, width, channels).transpose(2, 0, 1)


@dataclass(frozen=True)
class DatasetSamples:
    """A torch Dataset whose items are tensors, arrays or PIL images of one size, alone or first in a tuple.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Dataset with `__len__` and `__getitem__`.
    sample_shape : tuple of int
        (n_features,) or (channels, height, width) of every item.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.
    mode : {"RGB", "L"}, default="RGB"
        What PIL images are converted to: color or gray.
    """

    dataset: Any
    sample_shape: tuple[int, ...]
    background: str | tuple[int, int, int] = "white"
    mode: Literal["RGB", "L"] = "RGB"

    @classmethod
    def like_first(
        cls, dataset: Any, background: str | tuple[int, int, int] = "white", mode: Literal["RGB", "L"] = "RGB"
    ) -> Self:
        """Build samples with the shape of the first item."""
        samples = cls(dataset, (), background, mode)
        return cls(dataset, tuple(samples._first.shape), background, mode)

    @property
    def kind(self) -> Kind:
        """Either "features" or "images"."""
        return "features" if len(self.sample_shape) == 1 else "images"

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, rows: Rows, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return some samples as a tensor; see `Samples.batch`."""
        return scale_pixels(torch.stack([self._read(int(row)) for row in rows]), dtype)

    @property
    def integer(self) -> bool:
        """Whether the values are integers. Integer pixels are divided by 255."""
        return is_integer(self._first)

    @cached_property
    def _first(self) -> torch.Tensor:
        return self._read_item(0)

    def _read(self, row: int) -> torch.Tensor:
        item = self._read_item(row)
        if tuple(item.shape) != self.sample_shape:
            raise ValueError(
                f"X: item {row} of the Dataset has shape {tuple(item.shape)}, expected {self.sample_shape}."
            )
        if is_integer(item) != self.integer:
            raise ValueError(
                f"X: item {row} of the Dataset has type {item.dtype}, item 0 has {self._first.dtype}; expected "
                "integers in all items or floats in all items."
            )
        return item

    def _read_item(self, row: int) -> torch.Tensor:
        """Return a sample as a tensor; images have their channels first."""
        name = f"X: item {row} of the Dataset"
        item = _get_item(self.dataset, row)
        item = item[0] if isinstance(item, (tuple, list)) else item
        if is_pil(item):
            item = np.array(open_image(item, self.background).convert(self.mode))
        is_tensor = hasattr(item, "detach")
        values = to_numpy(item, name)
        if values.ndim == 1:
            return _to_tensor(_check_features(values, name))
        if values.ndim == 2:
            return _to_tensor(read_pixels(values[None, None], name=name)[0])
        last = channels_are_last(values.shape, is_tensor=is_tensor) if values.ndim == 3 else None
        if last is None:
            raise ValueError(
                f"{name} has shape {tuple(values.shape)}; expected features (d,) or an image with 1, 3 or 4 channels."
            )
        values = values.transpose(2, 0, 1) if last else values
        return _to_tensor(read_pixels(values[None], self.background, name=name)[0])

    def targets(self) -> NDArray[Any] | None:
        """Return the labels: the dataset's attribute `targets`, or the second part of every item, or None."""
        if hasattr(self.dataset, "targets"):
            return to_numpy(self.dataset.targets, "targets of the Dataset")
        items = [_get_item(self.dataset, row) for row in range(len(self.dataset))]
        if not isinstance(items[0], (tuple, list)) or len(items[0]) < 2:
            return None
        return to_numpy([to_numpy(item[1], "y").tolist() for item in items], "y")


@dataclass(frozen=True)
class SampleSubset:
    """Some rows of other samples.

    Parameters
    ----------
    samples : Samples, ImageFiles, DatasetSamples or SampleSubset
        The samples from which the rows are taken.
    rows : ndarray of int64
        Row numbers, in the order of the subset.
    """

    samples: AnySamples
    rows: NDArray[np.int64]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.samples.sample_shape

    @property
    def kind(self) -> Kind:
        """Either "features" or "images"."""
        return self.samples.kind

    @property
    def integer(self) -> bool:
        """Whether the values are integers. Integer pixels are divided by 255."""
        return self.samples.integer

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: Rows, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return some samples as a tensor; see `Samples.batch`."""
        return self.samples.batch(self.rows[np.asarray(rows)], dtype)


def _get_item(dataset: Any, row: int) -> Any:
    """Return an item of a Dataset; an error of the Dataset becomes one that names the item."""
    try:
        item = dataset[row]
    except Exception as error:
        raise ValueError(f"X: item {row} of the Dataset raised {type(error).__name__}: {error}.") from error
    if item is None:
        raise ValueError(f"X: item {row} of the Dataset is None; expected a sample, alone or first in a tuple.")
    return item


def _to_tensor(values: NDArray[Any]) -> torch.Tensor:
    """Copy an array to a tensor: torch cannot use memory that is read-only or byte-swapped, or negative strides."""
    return torch.from_numpy(np.array(values, values.dtype.newbyteorder("=")))


def _check_features(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Refuse features that are not real and finite."""
    if values.dtype.kind not in "buif":
        raise TypeError(f"{name} has dtype {values.dtype}; expected features that are integers, booleans or floats.")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} contains NaN or infinity.")
    return values
