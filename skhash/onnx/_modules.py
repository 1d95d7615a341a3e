"""Hashers and scikit-learn's transformers as torch modules, which torch's exporter turns into a graph."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skhash.deep import DeepHasher
from skhash.features import FeatureExtractor
from skhash.inputs import Samples
from skhash.methods import ITQHasher, LowerBoundHasher, LSHHasher, PCAHasher, SpectralHasher
from skhash.nn import prepare_inference
from skhash.nn.binary import BinaryConv2d, BinaryLinear

__all__ = ["Stage", "make_stages"]

_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Stage:
    """One estimator as a module.

    Parameters
    ----------
    module : nn.Module
        From the type `dtype` to outputs, in evaluation mode, on the CPU.
    input_shape : tuple of int
        (n_features,) or (channels, height, width) of a sample.
    dtype : torch.dtype
        Type of the module's inputs.
    integer : bool, default=False
        Whether inputs are integer pixels, which are divided by 255 before the module.
    """

    module: nn.Module
    input_shape: tuple[int, ...]
    dtype: torch.dtype
    integer: bool = False


class Hash(nn.Module):
    """The whole graph: estimators one after the other, and the bits of the last one's outputs.

    Parameters
    ----------
    stages : list of Stage
        At least one; the last one is a hasher.
    """

    def __init__(self, stages: list[Stage]) -> None:
        super().__init__()
        self.modules_in_order = nn.ModuleList([stage.module for stage in stages])
        self.dtypes = [stage.dtype for stage in stages]
        self.integer = stages[0].integer

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Turn samples into continuous codes and bits."""
        for number, (module, dtype) in enumerate(zip(self.modules_in_order, self.dtypes, strict=True)):
            x = x.to(dtype)
            x = module(x / 255 if self.integer and not number else x)
        return x, (x >= 0).to(torch.uint8)


class _Affine(nn.Module):
    """``(x - mean) @ components.T`` in double precision; what is zero up to rounding is zero, as in the library."""

    mean: Tensor
    components: Tensor
    noise: Tensor

    def __init__(self, mean: Any, components: Any) -> None:
        super().__init__()
        self.register_buffer("mean", _double(mean))
        self.register_buffer("components", _double(components).T.contiguous())
        noise = components.shape[1] * _EPS * np.linalg.norm(components, axis=1)
        self.register_buffer("noise", _double(noise))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return projections and their largest rounding errors."""
        x = x - self.mean
        z = x @ self.components
        noise = x.square().sum(dim=1, keepdim=True).sqrt() * self.noise
        return torch.where(z.abs() <= noise, 0.0, z), noise

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)[0]


class _Waves(nn.Module):
    """The sine waves of spectral hashing along principal axes."""

    lower: Tensor
    axes: Tensor
    frequencies: Tensor
    quarter: Tensor  # as a tensor, since numbers in double precision become single ones in the graph

    def __init__(self, hasher: SpectralHasher) -> None:
        super().__init__()
        self.projection = _Affine(hasher.mean_, hasher.components_)
        self.register_buffer("lower", _double(hasher.lower_))
        self.register_buffer("axes", torch.from_numpy(np.array(hasher.axes_, np.int64)))
        self.register_buffer("frequencies", _double(hasher.frequencies_))
        self.register_buffer("quarter", _double(np.pi / 2))

    def forward(self, x: Tensor) -> Tensor:
        z, noise = self.projection.parts(x)
        phase = self.frequencies * (z - self.lower).index_select(1, self.axes) + self.quarter
        wave = torch.sin(phase)
        rounding = self.frequencies * noise.index_select(1, self.axes) + 4 * _EPS * phase.abs()
        return torch.where(wave.abs() <= rounding, 0.0, wave)


class _Scale(nn.Module):
    """A scikit-learn scaler: ``(x - shift) / divisor + offset``."""

    shift: Tensor
    divisor: Tensor
    offset: Tensor

    def __init__(self, shift: Any, divisor: Any, offset: Any = 0.0) -> None:
        super().__init__()
        for name, value in (("shift", shift), ("divisor", divisor), ("offset", offset)):
            self.register_buffer(name, _double(value))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.divisor + self.offset


class _Normalize(nn.Module):
    """scikit-learn's `Normalizer`; a row of zeros stays as it is."""

    def __init__(self, norm: Literal["l1", "l2", "max"]) -> None:
        super().__init__()
        self.norm: Literal["l1", "l2", "max"] = norm

    def forward(self, x: Tensor) -> Tensor:
        if self.norm == "l2":
            lengths = x.square().sum(dim=1, keepdim=True).sqrt()
        elif self.norm == "l1":
            lengths = x.abs().sum(dim=1, keepdim=True)
        else:
            lengths = x.abs().amax(dim=1, keepdim=True)
        return x / torch.where(lengths < 10 * _EPS, 1.0, lengths)  # as `_handle_zeros_in_scale`


def make_stages(estimator: Any) -> list[Stage]:
    """Return the modules of a fitted hasher, or of a pipeline that ends in one.

    Parameters
    ----------
    estimator : estimator
        A hasher or a pipeline.

    Returns
    -------
    stages : list of Stage
        One for each estimator.

    Raises
    ------
    TypeError
        If an estimator has no graph; the message names it and what has one.
    """
    if not isinstance(estimator, Pipeline):
        return [_make_hasher(estimator)]
    steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
    if not steps:
        raise TypeError("estimator must be a hasher or a pipeline that ends in one, got a pipeline without steps.")
    hasher = _make_hasher(steps[-1])
    return [*(_make_transformer(step) for step in steps[:-1]), hasher]


def _make_hasher(hasher: Any) -> Stage:
    _check_fitted(hasher)
    kind = type(hasher)  # not its subclasses, which may compute anything
    if kind is LowerBoundHasher:
        return _make_hasher(hasher.estimator_)
    if kind in (LSHHasher, PCAHasher, ITQHasher):
        return _double_stage(hasher, _Affine(hasher.mean_, hasher.components_))
    if kind is SpectralHasher:
        return _double_stage(hasher, _Waves(hasher))
    if isinstance(hasher, DeepHasher):
        return _make_deep(hasher)
    raise TypeError(
        f"{type(hasher).__name__} cannot be exported to ONNX; estimator must be LSHHasher, PCAHasher, ITQHasher, "
        "SpectralHasher, a deep hasher, or a pipeline that ends in one of these."
    )


def _check_fitted(estimator: Any) -> None:
    if isinstance(estimator, BaseEstimator):
        check_is_fitted(estimator)


def _make_deep(hasher: DeepHasher) -> Stage:
    network = hasher.module_
    if any(isinstance(layer, (BinaryConv2d, BinaryLinear)) for layer in network.encoder.modules()):
        raise TypeError(
            f"{type(hasher).__name__} has a binary network. ONNX has no one-bit weights, and a runtime that merges "
            "norms with convolutions changes signs: use to_packed(), which runs without torch and takes a fraction of "
            "the memory and the time."
        )
    return _make_network(network.encoder, hasher.input_shape_, hasher._integer_pixels)


def _make_network(module: nn.Module, shape: tuple[int, ...], integer: bool) -> Stage:
    """Return a network as it computes codes: in double precision for features if it can."""
    module = copy.deepcopy(module).cpu().eval()
    if len(shape) == 3:
        return Stage(module, shape, torch.float32, integer)
    if next(module.parameters(), None) is None:  # says where the network is
        module.register_parameter("place", nn.Parameter(torch.empty(0), requires_grad=False))
    inference = prepare_inference(module, Samples(np.zeros((1, *shape))))
    return Stage(inference.module.eval(), shape, inference.dtype)


def _make_transformer(transformer: Any) -> Stage:
    _check_fitted(transformer)
    if type(transformer) is FeatureExtractor:
        return _make_network(transformer.module_, transformer.input_shape_, transformer._integer)
    maker = _TRANSFORMERS.get(type(transformer))
    if maker is None:
        accepted = ", ".join(kind.__name__ for kind in (FeatureExtractor, *_TRANSFORMERS))
        raise TypeError(
            f"The step {type(transformer).__name__} cannot be exported to ONNX; steps before the hasher must be of "
            f"{accepted}."
        )
    return _double_stage(transformer, maker(transformer))


def _make_standard(scaler: Any) -> nn.Module:
    n_features = scaler.n_features_in_
    shift = scaler.mean_ if scaler.with_mean else np.zeros(n_features)
    return _Scale(shift, scaler.scale_ if scaler.with_std else np.ones(n_features))


def _make_min_max(scaler: Any) -> nn.Module:
    if scaler.clip:
        raise TypeError("MinMaxScaler(clip=True) cannot be exported to ONNX; use clip=False.")
    return _Scale(np.zeros_like(scaler.scale_), 1 / scaler.scale_, scaler.min_)


def _make_pca(pca: Any) -> nn.Module:
    components = pca.components_
    if pca.whiten:
        scale = np.sqrt(pca.explained_variance_)
        components = components / np.maximum(scale, np.finfo(scale.dtype).eps)[:, None]
    module = _Affine(pca.mean_, components)
    module.noise.zero_()  # scikit-learn keeps what is zero up to rounding
    return module


_TRANSFORMERS: dict[type, Callable[[Any], nn.Module]] = {
    StandardScaler: _make_standard,
    MinMaxScaler: _make_min_max,
    Normalizer: lambda normalizer: _Normalize(normalizer.norm),
    PCA: _make_pca,
}


def _double_stage(estimator: Any, module: nn.Module) -> Stage:
    return Stage(module.eval(), (estimator.n_features_in_,), torch.float64)


def _double(values: Any) -> Tensor:
    return torch.from_numpy(np.array(values, np.float64))
