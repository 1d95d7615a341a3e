"""Inference of a fitted deep hasher: by torch or, if its network is binary and runs on a CPU, on packed words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skhash.codes import binarize
from skhash.deep._affine import NetworkSigns
from skhash.deep._data import read_samples
from skhash.deep._packed_classes import find_classes
from skhash.deep._snapshot import Snapshot
from skhash.deep._state import DeepState
from skhash.inputs import Samples
from skhash.nn import encode, prepare_inference
from skhash.nn.binary import BinaryConv2d, BinaryLinear, export_network
from skhash.runtime import PackedHasher, compare_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.deep._hasher import DeepHasher
    from skhash.nn import HashNetwork, Inference
    from skhash.runtime import CodeComparison
    from skhash.utils import SamplesLike

__all__ = ["PackedInference"]

_BLOCK_VALUES = 2**22  # numbers in memory at once
_LARGEST_PIXEL = 255
_FEW_SAMPLES = 8  # which need not take the time of a whole pass
_CERTAIN = 1e-6  # of the largest continuous code of a sample


class PackedInference(DeepState):
    """Mixin of deep hashers that computes codes, by torch or on packed words.

    A fitted hasher computes all codes in one way, also those of the training samples, so that a sample never has two
    codes. `fit` chooses this way and records it in `inference_`.
    """

    # The packed form of the network, with what it was made from.
    _packed: tuple[Snapshot, PackedHasher]
    # The network as it computes codes by torch, with what it is for and what it was made from; and its affine map.
    _inference: tuple[tuple[Any, ...], Snapshot, Inference, NetworkSigns | None]

    def to_packed(self, *, classes: bool = False) -> PackedHasher:
        """Return the network in a form that computes codes on packed words, and can be saved, without torch.

        Parameters
        ----------
        classes : bool, default=False
            Whether to pack what `predict` needs as well: hash centers or a classifier, or training codes that vote.

        Returns
        -------
        packed : skhash.runtime.PackedHasher
            Takes uint8 images or feature vectors. Its codes and predictions are those of this hasher if `inference_` is
            "packed".

        Raises
        ------
        TypeError
            With `classes`, if the hasher was fitted without labels, or the class scores of its criterion are not those
            of one of the library's losses.
        ValueError
            If a layer cannot be exported (the message names it), or if the hasher was fitted on images with
            floating-point pixels.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skhash import OrthoHasher
        >>> from skhash.nn.binary import binary_mlp
        >>> X, y = load_digits(return_X_y=True)
        >>> hasher = OrthoHasher(bits=16, backbone=binary_mlp(64), max_epochs=1, random_state=0).fit(X, y)
        >>> packed = hasher.to_packed()
        >>> packed
        PackedHasher(bits=16, input=64, target=...)
        >>> bool((packed.transform(X) == hasher.transform(X)).all())
        True
        """
        check_is_fitted(self)
        packed = self._pack(self.module_, self.input_shape_, self._integer_pixels)
        return PackedHasher(packed.network, classes=find_classes(self)) if classes else packed

    def compare_packed(self, X: SamplesLike) -> CodeComparison:
        """Compare codes computed by torch with codes computed on packed words.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            As in `fit`.

        Returns
        -------
        comparison : skhash.runtime.CodeComparison
            Number of bits that differ, and how close continuous codes come to 0.

        Raises
        ------
        ValueError
            As `to_packed`.
        """
        check_is_fitted(self)
        packed, samples = self.to_packed(), self._validate(X)
        return compare_codes(
            np.concatenate(list(encode(self.module_.encoder, samples))),
            np.concatenate(list(_encode_packed(packed, samples))),
        )

    def _validate(self, X: SamplesLike) -> Samples:
        return read_samples(cast("DeepHasher", self), X, reset=False)

    def _project(self, samples: Samples) -> Iterator[NDArray[Any]]:
        if self.inference_ == "packed":
            return _encode_packed(self._current_packed(), samples)
        inference, _ = self._current_inference(samples)
        return encode(self.module_.encoder, samples, inference)

    def _encode(self, samples: Samples) -> NDArray[np.uint8]:
        if samples.kind != "features":
            return super()._encode(samples)
        if self.inference_ == "packed":
            if not isinstance(samples, Samples) or len(samples) > _FEW_SAMPLES:
                return super()._encode(samples)
            X = samples.data if samples.data.dtype == np.float32 else _read_features(samples, range(len(samples)))
            return binarize(self._current_packed().decision_function(X))
        inference, signs = self._current_inference(samples)
        if signs is not None and isinstance(samples, Samples) and samples.data.dtype.isnative:
            return signs.bits(samples.data)
        if len(samples) <= _FEW_SAMPLES and inference.dtype == torch.float64:
            # Rows of another number round differently, by far less than this in double precision.
            z = inference.run_freely(samples.batch(range(len(samples)), dtype=torch.float64)).cpu().numpy()
            sizes = np.abs(z)
            if (sizes > _CERTAIN * sizes.max(axis=1, keepdims=True)).all():
                return binarize(z)
        return super()._encode(samples)

    def _current_inference(self, samples: Samples) -> tuple[Inference, NetworkSigns | None]:
        """Return the network as it computes codes of such samples; prepare it again if layers or weights changed."""
        key = samples.kind, *samples.sample_shape
        made_for, made_of, inference, signs = vars(self).get("_inference", (None, None, None, None))
        if inference is None or made_for != key or not made_of.is_current(self.module_):
            made_of = Snapshot(self.module_, contents=True)
            inference = prepare_inference(self.module_.encoder, samples)
            signs = NetworkSigns.find(self.module_, inference) if samples.kind == "features" else None
            self._inference = key, made_of, inference, signs
        return inference, signs

    def _choose_inference(self, network: HashNetwork, samples: Samples) -> Literal["packed", "torch"]:
        """Return how codes are to be computed."""
        vars(self).pop("_packed", None)  # of an earlier fit
        binary = any(isinstance(module, (BinaryConv2d, BinaryLinear)) for module in network.backbone.modules())
        on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
        if self.inference == "torch" or not binary or not on_cpu or not _are_bytes(samples):
            return "torch"
        try:
            self._packed = Snapshot(network), self._pack(network, tuple(samples.sample_shape), samples.integer)
        except ValueError:
            return "torch"
        return "packed"

    @staticmethod
    def _pack(network: HashNetwork, input_shape: tuple[int, ...], integer_pixels: bool) -> PackedHasher:
        if len(input_shape) == 3 and not integer_pixels:
            raise ValueError(
                "This hasher was fitted on images with floating-point pixels; a packed network takes integer pixels "
                "from 0 to 255."
            )
        return PackedHasher(export_network(network, input_shape))

    def _current_packed(self) -> PackedHasher:
        """Return the packed form of the network; make a new one if layers or weights have changed."""
        made_of, packed = vars(self).get("_packed", (None, None))
        if packed is None or made_of is None or not made_of.is_current(self.module_):
            made_of, packed = Snapshot(self.module_), self.to_packed()
            self._packed = made_of, packed
        return packed

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_packed", None)  # cheap to rebuild
        state.pop("_inference", None)
        return state


def _are_bytes(samples: Samples) -> bool:
    """Return whether pixels in memory are integers from 0 to 255; True for samples that are not in memory."""
    data = getattr(samples, "data", None)
    if samples.kind == "features" or data is None or data.dtype == np.uint8 or not len(data):
        return True
    return data.min() >= 0 and data.max() <= _LARGEST_PIXEL


def _encode_packed(packed: PackedHasher, samples: Samples) -> Iterator[NDArray[Any]]:
    """Yield blocks of continuous codes, as `skhash.nn.encode` does."""
    rows = max(_BLOCK_VALUES // int(np.prod(samples.sample_shape)), 1)
    read = _read_pixels if samples.kind == "images" else _read_features
    for start in range(0, len(samples), rows):
        yield packed.decision_function(read(samples, range(start, min(start + rows, len(samples)))))


def _read_features(samples: Samples, rows: range) -> NDArray[Any]:
    return samples.batch(rows).numpy()


def _read_pixels(samples: Samples, rows: range) -> NDArray[np.uint8]:
    """Return images as uint8 with channels last."""
    data = getattr(samples, "data", None)
    if data is not None and data.dtype == np.uint8:
        pixels = data[rows.start : rows.stop]
    else:
        pixels = np.rint(samples.batch(rows).numpy() * np.float32(_LARGEST_PIXEL))  # `batch` divides by 255
        if pixels.min() < 0 or pixels.max() > _LARGEST_PIXEL:
            raise ValueError(
                f"X must have pixels from 0 to {_LARGEST_PIXEL}, got pixels from {pixels.min():.0f} to "
                f"{pixels.max():.0f}. A hasher fitted with inference='torch' accepts other values."
            )
    return np.moveaxis(pixels, 1, 3).astype(np.uint8, copy=False)
