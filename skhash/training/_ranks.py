"""Several processes train one network: each runs the backbone on a share of the batch, all compute the whole loss.

The losses of this library look at all pairs, or all codes, of a batch, so they cannot be averaged over shares of it.
What is expensive is the backbone. So the features that the processes compute are gathered, and heads, losses and all
random draws are those of the whole batch in every process, as in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["FabricLike", "Ranks"]

_T = TypeVar("_T")


@runtime_checkable
class FabricLike(Protocol):
    """The part of `lightning_fabric.Fabric` that is used, so that it need not be installed."""

    def __init__(self) -> None: ...

    @property
    def device(self) -> torch.device:
        """Device of this process."""
        ...

    @property
    def global_rank(self) -> int:
        """Number of this process."""
        ...

    @property
    def world_size(self) -> int:
        """Number of processes."""
        ...

    def launch(self) -> Any:
        """Start the processes."""
        ...


class Ranks:
    """The processes of a launched `lightning_fabric.Fabric`.

    Parameters
    ----------
    rank : int
        Number of this process.
    size : int
        Number of processes, at least 2.
    device : torch.device
        Where this process computes.

    Attributes
    ----------
    rank, size, device : object
        The parameters.
    """

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank = rank
        self.size = size
        self.device = device

    @classmethod
    def find(cls, device: Any) -> Self | None:
        """Return the processes that a parameter `device` stands for.

        Parameters
        ----------
        device : str, torch.device or Fabric
            The parameter.

        Returns
        -------
        ranks : Ranks or None
            None if there is only one process.

        Raises
        ------
        ValueError
            If the processes of a Fabric cannot reach each other, because it was not launched.
        """
        if not isinstance(device, FabricLike) or device.world_size == 1:
            return None
        launched = torch.distributed.is_available() and torch.distributed.is_initialized()
        if not launched or torch.distributed.get_world_size() != device.world_size:
            raise ValueError(
                f"device is a Fabric of {device.world_size} processes that are not connected by torch.distributed: "
                "call its launch() before fit, and use a strategy such as 'ddp'."
            )
        return cls(device.global_rank, device.world_size, device.device)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, value: _T) -> _T:
        """Return the value of the first process, in all of them.

        Parameters
        ----------
        value : object
            Anything that can be pickled; ignored in other processes.

        Returns
        -------
        value : object
            The first process's.
        """
        box = [value if self.is_first else None]
        torch.distributed.broadcast_object_list(box, src=0, device=self.device)
        return box[0]  # pyright: ignore[reportReturnType]

    def check_equal(self, digest: bytes) -> None:
        """Refuse, in all processes, to train on what differs between them.

        Parameters
        ----------
        digest : bytes
            At least 8 bytes that stand for it.

        Raises
        ------
        ValueError
            If any process has others.
        """
        own = torch.frombuffer(bytearray(digest[:8]), dtype=torch.int64).to(self.device)
        all_of_them = [torch.empty_like(own) for _ in range(self.size)]
        torch.distributed.all_gather(all_of_them, own)
        different = [rank for rank, each in enumerate(all_of_them) if not torch.equal(each, all_of_them[0])]
        if different:
            raise ValueError(
                "The processes of device=Fabric must call fit with the same parameters and data, but those of "
                f"processes {different} differ from the first one's in class, bits, number, shape or labels of samples."
            )

    @torch.no_grad()
    def start_equal(self, network: nn.Module) -> None:
        """Copy weights and buffers of the first process to a network in all others.

        Parameters
        ----------
        network : nn.Module
            Changed in place.
        """
        for tensor in (*network.parameters(), *network.buffers()):
            torch.distributed.broadcast(tensor.data, src=0)

    @torch.no_grad()
    def add_gradients(self, parameters: list[Tensor], shared: set[int]) -> None:
        """Add up the gradients of layers that saw a share of the batch; take the first process's for all others.

        Parameters
        ----------
        parameters : list of Tensor
            All parameters that are trained.
        shared : set of int
            The `id` of those whose gradients are to be added.
        """
        pairs = [(parameter.grad, id(parameter)) for parameter in parameters]
        gradients = [gradient for gradient, _ in pairs if gradient is not None]
        if not gradients:
            return
        counts = [self.is_first or key in shared for gradient, key in pairs if gradient is not None]
        flat = torch.cat(
            [
                gradient.reshape(-1) if counted else torch.zeros_like(gradient).reshape(-1)
                for gradient, counted in zip(gradients, counts, strict=True)
            ]
        )
        torch.distributed.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def run(self, backbone: Callable[[Tensor], Tensor], inputs: Tensor, *, ambient: bool = False) -> Tensor:
        """Compute the features of a batch, of which every process runs a share.

        Parameters
        ----------
        backbone : callable
            Computes features.
        inputs : Tensor
            The whole batch, equal in all processes.
        ambient : bool, default=False
            Whether the backbone may draw from torch's global generator. Then each share draws numbers of its own, and
            the generator ends in the same state in all processes.

        Returns
        -------
        features : Tensor
            Of the whole batch, equal in all processes. Every process is expected to compute the same loss of it; its
            gradient reaches this process's share.
        """
        n = len(inputs)
        if n < self.size:
            # Too few to share: every process runs all of them, and its gradient counts for one of `size`.
            with self._draws(ambient, alike=True):
                return _Scaled.apply(backbone(inputs), 1 / self.size)  # pyright: ignore[reportReturnType]
        bounds = [n * rank // self.size for rank in range(self.size + 1)]
        with self._draws(ambient), _WholeBatchNorm():
            features = backbone(inputs[bounds[self.rank] : bounds[self.rank + 1]])
        return _Gathered.apply(features, self.rank, bounds)  # pyright: ignore[reportReturnType]

    @contextmanager
    def _draws(self, ambient: bool, *, alike: bool = False) -> Iterator[None]:
        if not ambient:
            yield
            return
        seed = int(torch.randint(2**62, ())) + (0 if alike else self.rank)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield


class _Scaled(torch.autograd.Function):
    """The same values, with a smaller gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0] * ctx.factor, None


class _Gathered(torch.autograd.Function):
    """The rows of all processes; the gradient of this process's rows, since all processes compute the same one."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, rank: int, bounds: list[int]) -> Tensor:
        ctx.bounds = bounds[rank], bounds[rank + 1]
        counts = np.diff(bounds)
        padded = rows.new_zeros((int(counts.max()), *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        torch.distributed.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        start, stop = ctx.bounds
        return gradients[0][start:stop].contiguous(), None, None


class _WholeBatchNorm(TorchFunctionMode):
    """Batch normalization by the statistics of the whole batch, in all layers that call torch's function.

    torch's `SyncBatchNorm` refuses to work on the CPU, and would replace layers of the model.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace batch normalization in training; leave every other function alone."""
        kwargs = kwargs or {}
        if func is not nn.functional.batch_norm:
            return func(*args, **kwargs)
        return _batch_norm(func, *args, **kwargs)


def _batch_norm(
    func: Callable[..., Tensor],
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return func(x, running_mean, running_var, weight, bias, training, momentum, eps)
    y, mean, variance, count = _Normalized.apply(x, weight, bias, eps)  # pyright: ignore[reportGeneralTypeIssues]
    with torch.no_grad():
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
        if running_var is not None:
            running_var.mul_(1 - momentum).add_(variance * (count / (count - 1)), alpha=momentum)
    return y


class _Normalized(torch.autograd.Function):
    """Batch normalization whose sums, and those of its gradient, are over the rows of all processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Any:
        dims = [dim for dim in range(x.ndim) if dim != 1]
        shape = (1, -1, *[1] * (x.ndim - 2))
        dtype = torch.promote_types(x.dtype, torch.float32)
        sums = x.sum(dims, dtype=dtype).double()
        total = torch.cat([sums, sums.new_full((1,), x.numel() // x.shape[1])])
        torch.distributed.all_reduce(total)
        count = total[-1].item()
        if count < 2:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
        mean = (total[:-1] / count).to(dtype)
        centered = x.to(dtype) - mean.view(shape)
        squares = centered.square().sum(dims).double()
        torch.distributed.all_reduce(squares)
        variance = (squares / count).to(dtype)
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(centered, scale, weight)
        ctx.bias, ctx.count, ctx.dims, ctx.shape = bias is not None, count, dims, shape
        y = centered * (scale if weight is None else scale * weight).view(shape)
        if bias is not None:
            y += bias.view(shape)
        ctx.mark_non_differentiable(mean, variance)
        return y.to(x.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        centered, scale, weight = ctx.saved_tensors
        dims, shape = ctx.dims, ctx.shape
        gradient = gradients[0].to(centered.dtype)
        sums = gradient.sum(dims)
        products = (gradient * centered).sum(dims)
        of_all = torch.stack([sums, products]).double()
        torch.distributed.all_reduce(of_all)
        mean, product = (of_all / ctx.count).to(centered.dtype)
        own = gradient - mean.view(shape) - centered * (product * scale.square()).view(shape)
        own = own * (scale if weight is None else scale * weight).view(shape)
        own = own.to(gradients[0].dtype)
        return own, None if weight is None else products * scale, sums if ctx.bias else None, None
