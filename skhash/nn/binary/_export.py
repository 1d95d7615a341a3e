"""From trained torch modules to networks as data, which `skhash.runtime` runs without torch."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from torch import nn

from skhash.nn.binary._export_layers import EXPORTERS, tabulate
from skhash.runtime import Affine, Lookup, Map, Network, SignsToReal

_PIXELS = 256


def export_network(network: nn.Module, sample_shape: tuple[int, ...]) -> Network:
    """Turn a trained network into data that `skhash.runtime` runs on packed words, without torch.

    The exported network computes the same as the evaluation mode in single precision: the same sums of integers, and
    batch normalization with the roundings of this build of torch, which are determined by trial. Only sums of real
    numbers, such as those of a real hash head, may be added in another order than torch's; see
    `skhash.runtime.compare_codes`.

    Parameters
    ----------
    network : nn.Module
        A `skhash.nn.HashNetwork`; or a sequence of modules from pixels in [0, 1] or feature vectors to continuous
        codes. It may consist of the modules of `skhash.nn.binary`, of `skhash.nn`'s heads, and of torch's own `Linear`,
        `Conv2d`, `BatchNorm1d`, `BatchNorm2d`, `MaxPool2d`, `Hardtanh`, `ReLU`, `Flatten`, `Dropout`, `Identity` and
        `Sequential`. After `Flatten` of maps of several pixels, only a linear layer may follow.
    sample_shape : tuple of int
        (channels, height, width) of images, or (n_features,). An exported image network takes integer pixels from 0 to
        255.

    Returns
    -------
    exported : skhash.runtime.Network
        The network as data; `skhash.runtime.PackedHasher` runs it.

    Raises
    ------
    ValueError
        If a layer cannot be exported; the message names the layer and the reason.

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
    except _ExportError as error:
        raise ValueError(str(error)) from None
    return exporter.finish(value)


class Exporter:
    """Collector of operations during the traversal of modules; a value is the number of an operation's result.

    Parameters
    ----------
    sample_shape : tuple of int
        (channels, height, width) or (n_features,).

    Attributes
    ----------
    input_shape : tuple of int
        (height, width, channels) or (n_features,).
    operations : list of Operation
        Operations so far.
    """

    def __init__(self, sample_shape: tuple[int, ...]) -> None:
        if len(sample_shape) not in (1, 3):
            raise ValueError(f"sample_shape must be (channels, height, width) or (n_features,), got {sample_shape}.")
        self.input_shape: tuple[int, ...] = (*sample_shape[1:], sample_shape[0])
        self.operations: list[Any] = []
        kind, height, width = ("pixels", *sample_shape[1:]) if len(sample_shape) == 3 else ("real", 1, 1)
        self._maps = [Map(kind, height, width, sample_shape[0])]
        self._path: list[str] = []
        self._flat: set[int] = set()

    def export(self, module: nn.Module, value: int, name: str | None = None) -> int:
        """Export a module that reads `value`; `name` is its name in its parent."""
        self._path += [name] if name else []
        # Looked up by the exact class: a subclass may compute anything.
        rule = EXPORTERS.get(type(module))
        if rule is None:
            accepted = ", ".join(sorted(kind.__name__ for kind in EXPORTERS))
            self.refuse(module, f"there is no exporter for this class, only for {accepted}")
        if module._forward_hooks or module._forward_pre_hooks:
            self.refuse(module, "it has forward hooks, which cannot be exported")
        if "forward" in vars(module):
            self.refuse(module, "its forward method was overridden on the instance; the override cannot be exported")
        try:
            value = rule(self, module, value)
        except _ExportError:
            raise
        except ValueError as error:
            self.refuse(module, str(error).rstrip("."))
        if name:
            self._path.pop()
        return value

    def children(self, module: nn.Module, value: int, *names: str) -> int:
        """Export submodules one after the other."""
        for name in names:
            value = self.export(module.get_submodule(name), value, name)
        return value

    def refuse(self, module: nn.Module, reason: str) -> NoReturn:
        """Raise the `ValueError` that names the layer."""
        raise _ExportError(
            f"{'.'.join(self._path) or 'network'} ({type(module).__name__}) cannot be exported: {reason}."
        )

    def add(self, operation: Any, *, takes_flat: bool = False) -> int:
        """Add an operation and return the number of its result."""
        if not takes_flat and self._flat.intersection(operation.sources):
            raise ValueError("its input is a flattened map, which only a linear layer may read")
        self._maps.append(operation.result(*(self._maps[source] for source in operation.sources)))
        self.operations.append(operation)
        return len(self.operations)

    def map(self, value: int) -> Map:
        """Return kind and shape of a value."""
        return self._maps[value]

    def real(self, value: int) -> int:
        """Convert a value to real numbers; pixels are divided by 255."""
        kind, flat = self.map(value).kind, value in self._flat
        if kind == "pixels":
            value = self.lookup(value, nn.Identity())
        elif kind == "sign":
            value = self.add(SignsToReal(value), takes_flat=True)
        elif kind == "integer":
            value = self.add(Affine(value, np.ones(self.map(value).channels)), takes_flat=True)
        if flat:
            self._flat.add(value)
        return value

    def lookup(self, value: int, module: nn.Module) -> int:
        """Tabulate a module's output for each pixel value, by channel."""
        return self.add(Lookup(value, tabulate(module, self.map(value).channels, _PIXELS)))

    def flatten(self, value: int) -> int:
        """Mark a map as flattened: torch flattens channel by channel, while the runtime stores maps pixel by pixel."""
        # Nothing is moved. A linear layer that reads the map reorders its weights instead, see `_as_filters`.
        if self.map(value).n_pixels > 1:
            value = self.real(value) if self.map(value).kind == "pixels" else value
            self._flat.add(value)
        return value

    def finish(self, value: int) -> Network:
        """Make the network whose output is a value."""
        map_ = self.map(value)
        if map_.n_pixels > 1:
            raise ValueError(f"The network must return one vector per sample to be exported, got {map_}.")
        if map_.kind != "sign":
            value = self.real(value)
        if value != len(self.operations):
            raise ValueError(
                f"The output of the network must be the result of its last operation, {len(self.operations)}, to be "
                f"exported, got that of operation {value}."
            )
        return Network(self.input_shape, tuple(self.operations))


class _ExportError(ValueError):
    """Error whose message names the layer already."""
