"""The cost of a network: the costs of its layers, summed by a convention."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from skhash.nn._layer_cost import LayerCost

_VALUES = (
    *("real_parameters", "binary_parameters", "real_macs", "binary_macs"),
    *("memory_bits", "file_bytes", "flops"),
)


@dataclass(frozen=True)
class NetworkCost:
    """Cost of a network by a convention.

    Parameters
    ----------
    name : str
        Name of the network.
    input_shape : tuple of int
        Shape of the sample for which the cost was counted.
    bits : int
        Length of the network's output.
    layers : tuple of LayerCost
        Cost of each layer.
    bn_params : int, default=2
        Parameters of a batch normalization that count, per channel.
    bn_mults : int, default=2
        Multiplications of a batch normalization that count, per normalized value.
    count_alpha : bool, default=False
        Whether the scales of binary filters count.
    """

    name: str
    input_shape: tuple[int, ...]
    bits: int
    layers: tuple[LayerCost, ...]
    bn_params: int = 2
    bn_mults: int = 2
    count_alpha: bool = False

    @property
    def real_parameters(self) -> int:
        """Parameters that are not binary; those of batch normalization and the scales by the convention."""
        scales = self._total("scales") if self.count_alpha else 0
        return self._total("real_parameters") + self.bn_params * self._total("norm_channels") + scales

    @property
    def binary_parameters(self) -> int:
        """Weights of one bit."""
        return self._total("binary_parameters")

    @property
    def real_macs(self) -> int:
        """Real multiplications per sample; those of batch normalization and scales by the convention."""
        scaled = self._total("scaled_elements") if self.count_alpha else 0
        return self._total("real_macs") + self.bn_mults * self._total("norm_elements") + scaled

    @property
    def binary_macs(self) -> int:
        """Multiplications of one bit by one bit per sample."""
        return self._total("binary_macs")

    @property
    def memory_bits(self) -> int:
        """Bits of all parameters: 32 for a real one, in whichever type it is stored, and 1 for a binary one."""
        return 32 * self.real_parameters + self.binary_parameters

    @property
    def file_bytes(self) -> int:
        """Bytes of the values of all parameters: 4 for a real one, 1 for one of eight bits, 1 for eight binary ones."""
        int8 = self._total("int8_parameters")
        return 4 * (self.real_parameters - int8) + int8 + math.ceil(self.binary_parameters / 8)

    @property
    def flops(self) -> float:
        """Multiplications per sample, 64 binary ones counted as one."""
        return self.real_macs + self.binary_macs / 64

    @property
    def not_counted(self) -> list[str]:
        """Names of the layers whose multiplications are not counted: of an unknown kind, or never called."""
        return [layer.name for layer in self.layers if not layer.counted]

    def _total(self, field: str) -> int:
        return sum(getattr(layer, field) for layer in self.layers)

    def in_full_precision(self) -> NetworkCost:
        """Return the cost of the float twin: the same network with 32-bit weights and inputs everywhere.

        Returns
        -------
        cost : NetworkCost
            Cost by the same convention.
        """
        layers = tuple(layer.in_full_precision() for layer in self.layers)
        return replace(self, name=f"{self.name} in 32 bits", layers=layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the name and all values.

        Returns
        -------
        values : dict
            The name and all sums over the layers.
        """
        return {"name": self.name, **{value: getattr(self, value) for value in _VALUES}}
