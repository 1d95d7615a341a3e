"""The cost of a network: what its layers cost, summed by a convention."""

import math
from dataclasses import dataclass, replace

_FIGURES = (
    *("real_parameters", "binary_parameters", "real_macs", "binary_macs"),
    *("memory_bits", "file_bytes", "flops"),
)


@dataclass(frozen=True)
class NetworkCost:
    """What a network costs by a convention.

    Parameters
    ----------
    name : str
        Name of the network.
    input_shape : tuple of int
        Shape of the sample that was counted with.
    bits : int
        Length of the network's output.
    layers : tuple of LayerCost
        What each layer costs.
    bn_params : int, default=2
        Parameters per channel of a batch normalisation that count.
    bn_mults : int, default=2
        Multiplications per number that it normalises that count.
    count_alpha : bool, default=False
        Whether the scales of binary filters count.
    """

    name: str
    input_shape: tuple
    bits: int
    layers: tuple
    bn_params: int = 2
    bn_mults: int = 2
    count_alpha: bool = False

    @property
    def real_parameters(self):
        """Parameters that are not binary, those of batch normalisation and the scales as the convention says."""
        scales = self._total("scales") if self.count_alpha else 0
        return self._total("real_parameters") + self.bn_params * self._total("norm_channels") + scales

    @property
    def binary_parameters(self):
        """Weights of one bit."""
        return self._total("binary_parameters")

    @property
    def real_macs(self):
        """Real multiplications per sample, those of batch normalisation and scales as the convention says."""
        scaled = self._total("scaled_elements") if self.count_alpha else 0
        return self._total("real_macs") + self.bn_mults * self._total("norm_elements") + scaled

    @property
    def binary_macs(self):
        """Multiplications of one bit by one bit per sample."""
        return self._total("binary_macs")

    @property
    def memory_bits(self):
        """Bits of all parameters: 32 for a real one, whatever it is stored in, and 1 for a binary one."""
        return 32 * self.real_parameters + self.binary_parameters

    @property
    def file_bytes(self):
        """Bytes that the values of all parameters take: four each, one in eight bits, and one for eight binary ones."""
        int8 = self._total("int8_parameters")
        return 4 * (self.real_parameters - int8) + int8 + math.ceil(self.binary_parameters / 8)

    @property
    def flops(self):
        """Multiplications per sample, 64 binary ones counted as one."""
        return self.real_macs + self.binary_macs / 64

    @property
    def not_counted(self):
        """Names of the layers whose multiplications are not counted: of an unknown kind, or never called."""
        return [layer.name for layer in self.layers if not layer.counted]

    def _total(self, field):
        return sum(getattr(layer, field) for layer in self.layers)

    def in_full_precision(self):
        """Give the cost of the float twin: the same network with 32-bit weights and inputs everywhere.

        Returns
        -------
        cost : NetworkCost
            By the same convention.
        """
        layers = tuple(layer.in_full_precision() for layer in self.layers)
        return replace(self, name=f"{self.name} in 32 bits", layers=layers)

    def to_dict(self):
        """Give the figures.

        Returns
        -------
        figures : dict
            The name and all numbers, not by layer.
        """
        return {"name": self.name, **{figure: getattr(self, figure) for figure in _FIGURES}}
