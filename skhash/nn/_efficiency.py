"""Memory and multiplications of a network with binary layers, compared with a network in full precision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skhash.nn._backbones import BACKBONES, make_backbone
from skhash.nn._float_twin import float_twin
from skhash.nn._heads import HashHead
from skhash.nn._init import build, initialize
from skhash.nn._layer_cost import measure as count_costs
from skhash.nn._measured_time import MeasuredTime, measure_time
from skhash.nn._network import HashNetwork
from skhash.nn._network_cost import NetworkCost
from skhash.nn._resnet import RESNETS
from skhash.utils import Interval, Options, check_option, validate_params

if TYPE_CHECKING:
    import pandas as pd

_BITS = 64
_IMAGE = (3, 224, 224)

# Key of the value, its label in the table, its format, and its unit.
_TABLE = (
    ("real_parameters", "real parameters", ",.0f", 1),
    ("binary_parameters", "binary parameters", ",.0f", 1),
    ("memory_bits", "memory, Mbit", ",.2f", 1e6),
    ("memory_ratio", "times the memory", ",.2f", 1),
    ("file_bytes", "file, MB", ",.3f", 1e6),
    ("real_macs", "real multiplications, M", ",.2f", 1e6),
    ("binary_macs", "binary multiplications, M", ",.2f", 1e6),
    ("flops", "real + binary / 64, M", ",.2f", 1e6),
    ("compute_ratio", "times the compute", ",.2f", 1),
)


@dataclass(frozen=True, repr=False)
class EfficiencyReport:
    """Result of `efficiency_report`; its repr is a table.

    Parameters
    ----------
    network : NetworkCost
        Cost of the network.
    reference : NetworkCost
        Cost of the network that it is compared with.
    measured : MeasuredTime, default=None
        Time of both, if it was measured.
    """

    network: NetworkCost
    reference: NetworkCost
    measured: MeasuredTime | None = None

    @property
    def twin(self) -> NetworkCost:
        """Cost of the network with 32-bit weights and inputs, a `NetworkCost`: a comparison at equal architecture."""
        return self.network.in_full_precision()

    @property
    def memory_ratio(self) -> float:
        """Memory of the reference divided by that of the network."""
        return self.reference.memory_bits / self.network.memory_bits

    @property
    def compute_ratio(self) -> float:
        """Multiplications of the reference divided by those of the network, 64 binary ones counted as one."""
        return self.reference.flops / self.network.flops

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Values of the network, of its float twin if it has binary layers, and of the reference: a list of dict."""
        costs = [self.network, self.reference]
        if self.network.binary_parameters and self.reference != self.twin:
            costs.insert(1, self.twin)
        reports = [EfficiencyReport(self.network, cost) for cost in costs]
        return [
            {**r.reference.to_dict(), "memory_ratio": r.memory_ratio, "compute_ratio": r.compute_ratio} for r in reports
        ]

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a table.

        Returns
        -------
        frame : pandas.DataFrame
            Table indexed by the names of the networks.
        """
        import pandas as pd

        return pd.DataFrame(self.rows).set_index("name")

    def __repr__(self) -> str:
        rows, network = self.rows, self.network
        width = max(13, *(len(row["name"]) for row in rows)) + 2

        def line(label: str, cells: Iterable[str]) -> str:
            return f"{label:26}" + "".join(f"{cell:>{width}}" for cell in cells)

        lines = [
            f"Cost of a code of {network.bits} bits from one input of {' x '.join(map(str, network.input_shape))}",
            line("", (row["name"] for row in rows)),
            *(line(label, (format(row[key] / unit, form) for row in rows)) for key, label, form, unit in _TABLE),
            f"Batch normalization: {network.bn_params} parameters per channel, {network.bn_mults} multiplications per "
            f"value. Scales of binary filters {'count' if network.count_alpha else 'do not count'}.",
        ]
        for cost in dict.fromkeys((network, self.reference)):
            if cost.not_counted:
                lines.append(f"{cost.name}: multiplications of {', '.join(cost.not_counted)} are not counted.")
        return "\n".join([*lines, *self._measured_lines()])

    def _measured_lines(self) -> list[str]:
        """Return the lines with the measured times and the ratio of the formula."""
        if self.measured is None:
            return []
        m = self.measured
        lines = [f"Measured on one thread, packed words ({m.target}) against torch in single precision:"]
        for batch, ratio in m.speedup.items():
            lines.append(
                f"  batch {batch:2}: {m.packed[batch]:.4g} ms a sample against {m.reference[batch]:.4g} ms, "
                f"{ratio:.1f} times as fast (by the formula {self.compute_ratio:.1f})"
            )
        lines.append(f"  {100 * m.roof_share:.0f} % of the speed at which this processor counts bits")
        different = f"{m.comparison.n_differing_bits} of {m.comparison.n_samples * m.comparison.bits} bits differ"
        lines.append(f"  codes equal to torch's: {'yes' if m.comparison.equal else 'no'} ({different})")
        return lines


@validate_params(
    {
        "bits": [Interval(Integral, 1, None, closed="left"), None],
        "input_size": [Interval(Integral, 1, None, closed="left"), tuple, None],
        "bn_params": [Options(Integral, {0, 2, 4})],
        "bn_mults": [Options(Integral, {0, 1, 2})],
        "count_alpha": ["boolean"],
        "real_downsample": ["boolean", None],
        "real_head": ["boolean", None],
        "measure": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def efficiency_report(
    network: Any,
    reference: Any = "auto",
    *,
    bits: int | None = None,
    input_size: int | tuple[int, ...] | None = None,
    bn_params: Literal[0, 2, 4] = 2,
    bn_mults: Literal[0, 1, 2] = 2,
    count_alpha: bool = False,
    real_downsample: bool | None = None,
    real_head: bool | None = None,
    measure: bool = False,
) -> EfficiencyReport:
    r"""Compare memory and multiplications of a hashing network with those of one in full precision.

    .. math::
        \text{memory} = 32\, n_{real} + n_{binary} \text{ bits}, \qquad
        \text{compute} = m_{real} + m_{binary} / 64

    with n parameters and m multiplications per sample. A multiplication is binary if both the weight and the input are
    -1 or +1. Additions and the memory of activations do not count. Papers differ in what counts in addition to
    convolutions and linear layers; the keyword arguments choose.

    Parameters
    ----------
    network : hasher, nn.Module or str
        A fitted deep hasher; a module that returns one vector per sample; or the name of one of the library's
        backbones, with random weights and a real linear hash head with a bias.
    reference : {"auto", "twin"}, other str, nn.Module or hasher, default="auto"
        Network to compare with: "resnet18", "resnet34", "resnet50", for images of about 32 pixels the same with "_32",
        or another backbone's name, with a head as above; a module; a fitted hasher; or "twin", the network itself with
        32-bit weights and inputs. "auto" is "resnet50" for images and "twin" for features.
    bits : int, default=None
        Code length of networks given by name; by default that of `network`, or 64.
    input_size : int or tuple of int, default=None
        (channels, height, width) or (n_features,); an int is height and width of images with three channels. By default
        the shape on which a hasher was fitted, otherwise 224.
    bn_params : {0, 2, 4}, default=2
        Parameters of a batch normalization per channel: 0 for none, 2 for slope and shift, 4 with mean and variance.
    bn_mults : {0, 1, 2}, default=2
        Multiplications of a batch normalization per value.
    count_alpha : bool, default=False
        Whether the scales of binary filters count, each as one real parameter and one real multiplication per output.
        They can be merged into the batch normalization that follows.
    real_downsample : bool, default=None
        Whether convolutions on the network's shortcuts (modules with "downsample" or "shortcut" in their name) count as
        real (True) or as binary (False). None counts them by their own kind.
    real_head : bool, default=None
        Whether the network's last linear layer counts as real (True) or as binary (False). None counts it by its own
        kind.
    measure : bool, default=False
        Whether to measure the time as well: of the network on packed words (`skhash.runtime`) and of the reference in
        torch, for batches of 1 and 32 on one thread of this machine. Takes seconds, with a ResNet for photographs half
        a minute. The ratio holds for this CPU; one with matrix units, or a GPU, runs the reference faster.

    Returns
    -------
    report : EfficiencyReport
        Counts of both networks and of the float twin. Real and binary counts are separate and available for each layer,
        so that other conventions can be applied.

    Raises
    ------
    ValueError
        If a name or an option is unknown, if a network does not take such inputs or does not return one vector per
        sample, if there is no layer to which `real_downsample` or `real_head` applies, or if a network to be measured
        has a layer that cannot be packed.
    TypeError
        If `network` or `reference` is not a network.
    NotFittedError
        If a hasher is not fitted.

    Notes
    -----
    64 is the number of bits that one XOR and one POPCOUNT process at a time. This is an accounting rule and does not
    predict time. Layers of an unknown kind count with their parameters as real memory, and the report names them.

    References
    ----------
    Rastegari et al., "XNOR-Net", ECCV 2016; Liu et al., "Bi-Real Net", ECCV 2018, section 4.4.

    Examples
    --------
    >>> from skhash.nn import efficiency_report
    >>> report = efficiency_report("bireal_tiny", "resnet18_32", input_size=32)
    >>> report.network.binary_parameters, report.network.real_parameters
    (294912, 11776)
    >>> round(report.twin.memory_bits / report.network.memory_bits, 1)
    14.6
    """
    convention = {"bn_params": bn_params, "bn_mults": bn_mults, "count_alpha": count_alpha}

    def cost_of(
        role: str, value: Any, shape: tuple[int, ...] | None, n_bits: int, **forced: bool | None
    ) -> tuple[NetworkCost, nn.Module]:
        name, module, shape = _resolve(role, value, shape, n_bits)
        layers, width = count_costs(module, shape, **forced)
        return NetworkCost(name, shape, width, tuple(layers), **convention), module

    shape = input_size if input_size is None or isinstance(input_size, tuple) else (3, input_size, input_size)
    cost, module = cost_of(
        "network", network, shape, bits or _BITS, real_downsample=real_downsample, real_head=real_head
    )
    if isinstance(reference, str) and reference == "auto":
        reference = "resnet50" if len(cost.input_shape) == 3 else "twin"
    if isinstance(reference, str) and reference == "twin":
        reference_cost, other = cost.in_full_precision(), float_twin(module) if measure else None
    else:
        if not hasattr(reference, "fit"):
            shape = cost.input_shape
        reference_cost, other = cost_of("reference", reference, shape, bits or cost.bits)
    if other is None or not measure:
        return EfficiencyReport(cost, reference_cost)
    # The ResNets were counted on the meta device, which holds no values.
    if any(parameter.is_meta for parameter in other.parameters()):
        other = other.to_empty(device="cpu")
        initialize(other, torch.Generator().manual_seed(0))
    times = measure_time(module, other, cost.input_shape, reference_cost.input_shape, cost.binary_macs)
    return EfficiencyReport(cost, reference_cost, times)


def _resolve(role: str, value: Any, shape: tuple[int, ...] | None, bits: int) -> tuple[str, nn.Module, tuple[int, ...]]:
    """Return name, module and input shape of a network."""
    if isinstance(value, str):
        shape = tuple(shape or _IMAGE)
        return value, _make(role, value, shape, bits), shape
    if hasattr(value, "fit"):
        check_is_fitted(value)
        hasher = getattr(value, "estimator_", value)
        if hasattr(hasher, "module_"):
            return type(hasher).__name__, hasher.module_.encoder, tuple(shape or hasher.input_shape_)
    if isinstance(value, nn.Module):
        module = value.encoder if isinstance(value, HashNetwork) else value
        return type(value).__name__, module, tuple(shape or _IMAGE)
    raise TypeError(f"{role} must be a deep hasher, an nn.Module or a name, got {type(value).__name__}.")


def _make(role: str, name: str, shape: tuple[int, ...], bits: int) -> nn.Module:
    """Make a backbone by name, with a hash head."""
    check_option(role, name, (*RESNETS, *BACKBONES))
    generator = torch.Generator().manual_seed(0)
    if name not in RESNETS:
        backbone, width = make_backbone(name, shape, generator)
        return nn.Sequential(backbone, build(HashHead, width, bits, bias=True, generator=generator))
    if len(shape) != 3:
        raise ValueError(f"{role}={name!r} takes images, got inputs of shape {shape}; use 'twin' as reference.")
    # Counting needs shapes only; a ResNet-50 without values costs no memory and no time.
    with torch.device("meta"):
        backbone = RESNETS[name](shape[0])
        return nn.Sequential(backbone, HashHead(backbone.out_features, bits, bias=True))
