"""How a fitted deep hasher computes codes: by torch or, if its network is binary and runs on a CPU, on packed words."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skhash.nn import encode
from skhash.nn.binary import BinaryConv2d, BinaryLinear, export_network
from skhash.runtime import PackedHasher, compare_codes

__all__ = ["PackedInference"]

_BLOCK_VALUES = 2**22  # in memory at once, in numbers
_LARGEST_PIXEL = 255


class PackedInference:
    """Mixin of deep hashers: `_project`, and the packed form of the network.

    All codes of a fitted hasher come from one way to compute, those of the training samples included, so that a sample
    never has two codes. Which one it is is decided in `fit` and noted in `inference_`.
    """

    def to_packed(self):
        """Give the network in a form that computes codes on packed words, and can be saved, without torch.

        Returns
        -------
        packed : skhash.runtime.PackedHasher
            Takes uint8 images or feature vectors. Its codes are those of this hasher if `inference_` is "packed".

        Raises
        ------
        ValueError
            If there is a layer that cannot be exported, which the message names, or if the hasher was fitted on images
            with floating-point pixels.

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
        return self._pack(self.module_, self.input_shape_, self._integer_pixels)

    def compare_packed(self, X):
        """Compare codes by torch with those on packed words.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            As in `fit`.

        Returns
        -------
        comparison : skhash.runtime.CodeComparison
            How many bits differ, and how near to 0 continuous codes come.

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

    def _project(self, samples):
        if self.inference_ == "packed":
            return _encode_packed(self._current_packed(), samples)
        return encode(self.module_.encoder, samples)

    def _choose_inference(self, network, samples):
        """Say how codes are to be computed: "packed" or "torch"."""
        vars(self).pop("_packed", None)  # that of an earlier fit
        binary = any(isinstance(module, (BinaryConv2d, BinaryLinear)) for module in network.backbone.modules())
        on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
        if self.inference == "torch" or not binary or not on_cpu or not _are_bytes(samples):
            return "torch"
        try:
            self._packed = _versions(network), self._pack(network, tuple(samples.sample_shape), samples.integer)
        except ValueError:
            return "torch"
        return "packed"

    @staticmethod
    def _pack(network, input_shape, integer_pixels):
        if len(input_shape) == 3 and not integer_pixels:
            raise ValueError(
                "This hasher was fitted on images with floating-point pixels; a packed network takes integer pixels "
                "from 0 to 255."
            )
        return PackedHasher(export_network(network, input_shape))

    def _current_packed(self):
        """Give the packed form of the network, made anew if layers or weights have changed."""
        versions = _versions(self.module_)
        made_of, packed = vars(self).get("_packed", ([], None))
        same = len(versions) == len(made_of) and all(
            a is b and n == m for (a, n), (b, m) in zip(versions, made_of, strict=True)
        )
        if not same:
            packed = self.to_packed()
            self._packed = versions, packed
        return packed

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_packed", None)  # quickly made anew
        return state


def _versions(network):
    """Give all that codes depend on: layers, and tensors with their address and number of changes in place.

    They are given themselves, so that they live and nothing else can take their place in memory. Torch does not count
    changes in place by way of `tensor.data`.
    """
    _, *layers = network.encoder.modules()  # the first is made at every use
    tensors = [
        tensor
        for layer in layers
        for tensor in (*layer._parameters.values(), *layer._buffers.values())  # much quicker than a `state_dict`
        if tensor is not None
    ]
    versions = [(t, (t.data_ptr(), None if t.is_inference() else t._version)) for t in tensors]
    return versions + [(layer, None) for layer in layers]


def _are_bytes(samples):
    """Whether pixels in memory are integers from 0 to 255; true of all else."""
    data = getattr(samples, "data", None)
    if samples.kind == "features" or data is None or data.dtype == np.uint8 or not len(data):
        return True
    return data.min() >= 0 and data.max() <= _LARGEST_PIXEL


def _encode_packed(packed, samples):
    """Yield blocks of continuous codes, as `skhash.nn.encode` does."""
    rows = max(_BLOCK_VALUES // int(np.prod(samples.sample_shape)), 1)
    read = _read_pixels if samples.kind == "images" else _read_features
    for start in range(0, len(samples), rows):
        yield packed.decision_function(read(samples, range(start, min(start + rows, len(samples)))))


def _read_features(samples, rows):
    return samples.batch(rows).numpy()


def _read_pixels(samples, rows):
    """Give images as uint8 with their channels last."""
    data = getattr(samples, "data", None)
    if data is not None and data.dtype == np.uint8:
        pixels = data[rows.start : rows.stop]
    else:
        pixels = np.rint(samples.batch(rows).numpy() * np.float32(_LARGEST_PIXEL))  # they were divided by 255
        if pixels.min() < 0 or pixels.max() > _LARGEST_PIXEL:
            raise ValueError(
                f"X has pixels from {pixels.min():.0f} to {pixels.max():.0f}; this hasher takes those from 0 to "
                f"{_LARGEST_PIXEL}. One that was fitted with inference='torch' takes others, too."
            )
    return np.moveaxis(pixels, 1, 3).astype(np.uint8, copy=False)
