"""From trained torch modules to networks as data, which `skhash.runtime` runs without torch."""

from torch import nn

from skhash.nn.binary._export_layers import EXPORTERS, tabulate
from skhash.runtime import Affine, Lookup, Map, Network, SignsToReal

_PIXELS = 256


def export_network(network, sample_shape):
    """Turn a trained network into data that `skhash.runtime` runs on packed words, without torch.

    What it computes is that of the evaluation mode in single precision: the same sums of integers, and batch
    normalisation with the roundings of this build of torch, which are found out by trying. Only sums of real numbers,
    such as those of a real hash head, may be added in another order than torch's; see `skhash.runtime.compare_codes`.

    Parameters
    ----------
    network : nn.Module
        A `skhash.nn.HashNetwork`; or a sequence of modules from pixels in [0, 1] or feature vectors to continuous
        codes. It may consist of what `skhash.nn.binary` has, of `skhash.nn`'s heads, and of torch's own `Linear`,
        `Conv2d`, `BatchNorm1d`, `BatchNorm2d`, `MaxPool2d`, `Hardtanh`, `ReLU`, `Flatten`, `Dropout`, `Identity` and
        `Sequential`. Behind `Flatten` of maps of several pixels there may only be a linear layer.
    sample_shape : tuple of int
        (channels, height, width) of images, or (n_features,). An image network gets integer pixels from 0 to 255.

    Returns
    -------
    exported : skhash.runtime.Network
        The network as data; `skhash.runtime.PackedHasher` runs it.

    Raises
    ------
    ValueError
        If some layer cannot be exported; the message has its name, and why.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import HashHead
    >>> from skhash.nn.binary import bireal_tiny, export_network
    >>> from skhash.runtime import PackedHasher
    >>> network = torch.nn.Sequential(bireal_tiny(), HashHead(128, 32)).eval()
    >>> images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    >>> packed = PackedHasher(export_network(network, (1, 28, 28)))
    >>> with torch.inference_mode():
    ...     z = network(images / 255)
    >>> bool((packed.transform(images.numpy()) == (z >= 0).numpy()).all())
    True
    """
    exporter = Exporter(tuple(sample_shape))
    try:
        value = exporter.export(network, 0)
    except _Refused as error:
        raise ValueError(str(error)) from None
    return exporter.finish(value)


class Exporter:
    """Collects operations while modules are gone through; a value is the number of an operation's result.

    Parameters
    ----------
    sample_shape : tuple of int
        (channels, height, width) or (n_features,).
    """

    def __init__(self, sample_shape):
        if len(sample_shape) not in (1, 3):
            raise ValueError(f"sample_shape must be (channels, height, width) or (n_features,), got {sample_shape}.")
        self.input_shape = (*sample_shape[1:], sample_shape[0])
        self.operations = []
        self._maps = [Map("pixels", *self.input_shape) if len(sample_shape) == 3 else Map("real", 1, 1, *sample_shape)]
        self._path = []
        self._flat = set()

    def export(self, module, value, name=None):
        """Export a module that reads `value`; `name` is what its parent calls it."""
        self._path += [name] if name else []
        # Looked up by the very class: a subclass may compute anything.
        rule = EXPORTERS.get(type(module))
        if rule is None:
            accepted = ", ".join(sorted(kind.__name__ for kind in EXPORTERS))
            self.refuse(module, f"there is no exporter for this class; there are ones for {accepted}")
        if module._forward_hooks or module._forward_pre_hooks:
            self.refuse(module, "it has forward hooks, which would be lost")
        if "forward" in vars(module):
            self.refuse(module, "its forward method was replaced, by what would be lost")
        try:
            value = rule(self, module, value)
        except _Refused:
            raise
        except ValueError as error:
            self.refuse(module, str(error).rstrip("."))
        if name:
            self._path.pop()
        return value

    def children(self, module, value, *names):
        """Export submodules one after the other."""
        for name in names:
            value = self.export(module.get_submodule(name), value, name)
        return value

    def refuse(self, module, why):
        """Raise the `ValueError` that names the layer."""
        raise _Refused(f"{'.'.join(self._path) or 'network'} ({type(module).__name__}) cannot be exported: {why}.")

    def add(self, operation, *, takes_flat=False):
        """Add an operation and give the number of its result."""
        if not takes_flat and self._flat.intersection(operation.sources):
            raise ValueError("it reads a flattened map; only linear layers do that")
        self._maps.append(operation.result(*(self._maps[source] for source in operation.sources)))
        self.operations.append(operation)
        return len(self.operations)

    def map(self, value):
        """Kind and shape of a value."""
        return self._maps[value]

    def real(self, value):
        """Give a value as real numbers; pixels are divided by 255."""
        kind, flat = self.map(value).kind, value in self._flat
        if kind == "pixels":
            value = self.lookup(value, nn.Identity())
        elif kind == "sign":
            value = self.add(SignsToReal(value), takes_flat=True)
        elif kind == "integer":
            value = self.add(Affine(value, [1.0] * self.map(value).channels), takes_flat=True)
        if flat:
            self._flat.add(value)
        return value

    def lookup(self, value, module):
        """Tabulate what a module makes of each pixel, by channel."""
        return self.add(Lookup(value, tabulate(module, self.map(value).channels, _PIXELS)))

    def flatten(self, value):
        """Note that a map is read channel by channel from here on, as torch flattens; ours are read pixel by pixel."""
        if self.map(value).n_pixels > 1:
            value = self.real(value) if self.map(value).kind == "pixels" else value
            self._flat.add(value)
        return value

    def finish(self, value):
        """Give the network that ends with a value."""
        map_ = self.map(value)
        if map_.n_pixels > 1:
            raise ValueError(f"The network must give one vector per sample to be exported; it gives {map_}.")
        if map_.kind != "sign":
            value = self.real(value)
        if value != len(self.operations):
            raise ValueError("The network must end with what it computes last to be exported.")
        return Network(self.input_shape, self.operations)


class _Refused(ValueError):
    """What has its layer's name already."""
