"""How much smaller a network with binary layers is than one in full precision, and how much less it computes."""

from dataclasses import dataclass
from numbers import Integral

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

_BITS = 64
_IMAGE = (3, 224, 224)

# Figure, what it is called in the table, how it is written, and the unit.
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
    """What `efficiency_report` found; printing it gives a table.

    Parameters
    ----------
    network : NetworkCost
        What the network costs.
    reference : NetworkCost
        What the network costs that it is compared with.
    measured : MeasuredTime, default=None
        How long both take, if that was measured.
    """

    network: NetworkCost
    reference: NetworkCost
    measured: MeasuredTime | None = None

    @property
    def twin(self):
        """Cost of the network with 32-bit weights and inputs, a `NetworkCost`: a comparison at equal architecture."""
        return self.network.in_full_precision()

    @property
    def memory_ratio(self):
        """How many times the network's memory the reference takes."""
        return self.reference.memory_bits / self.network.memory_bits

    @property
    def compute_ratio(self):
        """How many times the network's multiplications the reference takes, 64 binary ones counted as one."""
        return self.reference.flops / self.network.flops

    @property
    def rows(self):
        """Figures of the network, of its float twin if it has binary layers, and of the reference, a list of dict."""
        costs = [self.network, self.reference]
        if self.network.binary_parameters and self.reference != self.twin:
            costs.insert(1, self.twin)
        reports = [EfficiencyReport(self.network, cost) for cost in costs]
        return [
            {**r.reference.to_dict(), "memory_ratio": r.memory_ratio, "compute_ratio": r.compute_ratio} for r in reports
        ]

    def to_frame(self):
        """Give the rows as a table.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by the names of the networks.
        """
        import pandas as pd

        return pd.DataFrame(self.rows).set_index("name")

    def __repr__(self):
        rows, network = self.rows, self.network
        width = max(13, *(len(row["name"]) for row in rows)) + 2

        def line(label, cells):
            return f"{label:26}" + "".join(f"{cell:>{width}}" for cell in cells)

        lines = [
            f"Cost of a code of {network.bits} bits from one input of {' x '.join(map(str, network.input_shape))}",
            line("", (row["name"] for row in rows)),
            *(line(label, (format(row[key] / unit, form) for row in rows)) for key, label, form, unit in _TABLE),
            f"Batch normalisation: {network.bn_params} parameters per channel, {network.bn_mults} multiplications per "
            f"number. Scales of binary filters {'count' if network.count_alpha else 'do not count'}.",
        ]
        for cost in dict.fromkeys((network, self.reference)):
            if cost.not_counted:
                lines.append(f"{cost.name}: multiplications of {', '.join(cost.not_counted)} are not counted.")
        return "\n".join([*lines, *self._measured_lines()])

    def _measured_lines(self):
        """What was measured, beside what the formula says."""
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
    network,
    reference="auto",
    *,
    bits=None,
    input_size=None,
    bn_params=2,
    bn_mults=2,
    count_alpha=False,
    real_downsample=None,
    real_head=None,
    measure=False,
):
    r"""Compare memory and multiplications of a hashing network with those of one in full precision.

    .. math::
        \text{memory} = 32\, n_{real} + n_{binary} \text{ bits}, \qquad
        \text{compute} = m_{real} + m_{binary} / 64

    with n parameters and m multiplications per sample. A multiplication is binary if both the weight and the input are
    -1 or +1. Neither additions nor the memory of activations count. What counts beside convolutions and linear layers
    differs between papers; the keyword arguments choose.

    Parameters
    ----------
    network : hasher, nn.Module or str
        A fitted deep hasher; a module that gives one vector per sample; or the name of one of the library's backbones,
        with random weights and a real linear hash head with a bias.
    reference : {"auto", "twin"}, other str, nn.Module or hasher, default="auto"
        What to compare with: "resnet18", "resnet34", "resnet50", for images of about 32 pixels the same with "_32", or
        another backbone's name, with a head as above; a module; a fitted hasher; or "twin", the network itself with
        32-bit weights and inputs. "auto" is "resnet50" for images and "twin" for features.
    bits : int, default=None
        Code length of networks given by name; by default that of `network`, or 64.
    input_size : int or tuple of int, default=None
        (channels, height, width) or (n_features,); an int is height and width of images with three channels. By default
        what a hasher was fitted on, else 224.
    bn_params : {0, 2, 4}, default=2
        Parameters of a batch normalisation per channel: none, slope and shift, or mean and variance as well.
    bn_mults : {0, 1, 2}, default=2
        Its multiplications per number.
    count_alpha : bool, default=False
        Whether the scales of binary filters count, each as one real parameter and one real multiplication per output.
        They can be merged into the batch normalisation that follows.
    real_downsample : bool, default=None
        Whether convolutions on the network's shortcuts (modules with "downsample" or "shortcut" in their name) count as
        real or as binary ones. None: as what they are.
    real_head : bool, default=None
        Whether its last linear layer counts as a real or as a binary one. None: as what it is.
    measure : bool, default=False
        Whether to measure, too, how long the network takes on packed words (`skhash.runtime`) and the reference in
        torch, for batches of 1 and 32 on one thread of this machine. Takes seconds, with a ResNet for photographs half
        a minute. The ratio says what is gained on this CPU; one with matrix units, or a GPU, runs the reference faster.

    Returns
    -------
    report : EfficiencyReport
        Counts of both and of the float twin. Real and binary ones are apart, and there for each layer, so that other
        conventions can be applied.

    Raises
    ------
    ValueError
        If a name or an option is unknown, if a network does not take such inputs or does not give one vector per
        sample, if there is no layer that `real_downsample` speaks of, or if a network that is to be measured has a
        layer that cannot be packed.
    TypeError
        If `network` or `reference` is no network.
    NotFittedError
        If a hasher is not fitted.

    Notes
    -----
    The 64 are the bits that one XOR and one POPCOUNT take in at a time. This is an accounting rule and says nothing of
    time. Layers with parameters of a kind that is not known here count as real memory, and the report names them.

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

    def cost_of(role, what, shape, n_bits, **forced):
        name, module, shape = _resolve(role, what, shape, n_bits)
        layers, width = count_costs(module, shape, **forced)
        return NetworkCost(name, shape, width, tuple(layers), **convention), module

    shape = (3, input_size, input_size) if isinstance(input_size, Integral) else input_size
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
    if not measure:
        return EfficiencyReport(cost, reference_cost)
    if any(parameter.is_meta for parameter in other.parameters()):
        other = other.to_empty(device="cpu")
        initialize(other, torch.Generator().manual_seed(0))
    times = measure_time(module, other, cost.input_shape, reference_cost.input_shape, cost.binary_macs)
    return EfficiencyReport(cost, reference_cost, times)


def _resolve(role, what, shape, bits):
    """Give name, module and input shape of a network."""
    if isinstance(what, str):
        shape = tuple(shape or _IMAGE)
        return what, _make(role, what, shape, bits), shape
    if hasattr(what, "fit"):
        check_is_fitted(what)
        hasher = getattr(what, "estimator_", what)
        if hasattr(hasher, "module_"):
            return type(hasher).__name__, hasher.module_.encoder, tuple(shape or hasher.input_shape_)
    if isinstance(what, nn.Module):
        module = what.encoder if isinstance(what, HashNetwork) else what
        return type(what).__name__, module, tuple(shape or _IMAGE)
    raise TypeError(f"{role} must be a deep hasher, an nn.Module or a name, got {type(what).__name__}.")


def _make(role, name, shape, bits):
    """Make a backbone by name, with a hash head."""
    check_option(role, name, (*RESNETS, *BACKBONES))
    generator = torch.Generator().manual_seed(0)
    if name not in RESNETS:
        backbone, width = make_backbone(name, shape, generator)
        return nn.Sequential(backbone, build(HashHead, width, bits, bias=True, generator=generator))
    if len(shape) != 3:
        raise ValueError(f"{role}={name!r} takes images, got inputs of shape {shape}; use 'twin' as reference.")
    with torch.device("meta"):
        backbone = RESNETS[name](shape[0])
        return nn.Sequential(backbone, HashHead(backbone.out_features, bits, bias=True))
