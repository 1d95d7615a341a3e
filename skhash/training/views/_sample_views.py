"""Views (augmentations) by a function of one sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class SampleViews:
    """Views by a function of one sample, such as a transform of torchvision, which is called for each sample.

    Such a function usually draws from a global random state. `fit` of a deep hasher seeds torch's by `random_state` and
    restores it afterwards. It does not touch those of NumPy and of Python's `random`, so that views which draw from
    them differ between fits.

    Parameters
    ----------
    transform : callable
        Takes a tensor of shape (channels, height, width) or (n_features,) and returns one with the same number of
        channels or features.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import SampleViews
    >>> views = SampleViews(lambda features: features.flip(0))
    >>> views(torch.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[1., 0.],
            [3., 2.]])
    """

    transform: Callable[[Tensor], Any]

    def __call__(self, batch: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a view of every sample.

        Parameters
        ----------
        batch : Tensor of shape (n, channels, height, width) or (n, n_features)
            Batch of samples.
        generator : torch.Generator, default=None
            Not used.

        Returns
        -------
        views : Tensor of shape (n, channels, new_height, new_width) or (n, n_features)
            New tensor.

        Raises
        ------
        TypeError
            If the function does not return a tensor.
        ValueError
            If its results differ in shape, or in the number of channels or features from the samples.
        """
        views = [self.transform(sample) for sample in batch]
        for view in views:
            if not isinstance(view, torch.Tensor):
                raise TypeError(f"views: {self.transform!r} must return tensors, got {type(view).__name__}.")
        shapes = sorted({tuple(view.shape) for view in views})
        if len(shapes) > 1:
            raise ValueError(f"views: {self.transform!r} must return views of one shape, got {shapes} in one batch.")
        sample_shape = tuple(batch.shape[1:])
        if len(shapes[0]) != len(sample_shape) or shapes[0][0] != sample_shape[0]:
            raise ValueError(
                f"views: {self.transform!r} must keep the number of channels or features of a sample, got a view of "
                f"shape {shapes[0]} of a sample of shape {sample_shape}."
            )
        return torch.stack(views)
