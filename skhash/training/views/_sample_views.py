"""Views by a function of one sample."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class SampleViews:
    """Give views by a function of one sample, such as a transform of torchvision, which is called for each by itself.

    What such a function draws usually comes from a global random state. `fit` of a deep hasher seeds torch's by
    `random_state` and restores it afterwards; those of NumPy and of Python's `random` are left alone, so that views
    which draw from them differ between fits.

    Parameters
    ----------
    transform : callable
        Takes a tensor of shape (channels, height, width) or (n_features,) and gives one with as many channels or
        features.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import SampleViews
    >>> views = SampleViews(lambda features: features.flip(0))
    >>> views(torch.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[1., 0.],
            [3., 2.]])
    """

    transform: Callable

    def __call__(self, batch, generator=None):
        """Give a view of every sample.

        Parameters
        ----------
        batch : Tensor of shape (n, channels, height, width) or (n, n_features)
            Samples.
        generator : torch.Generator, default=None
            Not used.

        Returns
        -------
        views : Tensor of shape (n, channels, new_height, new_width) or (n, n_features)
            New tensor.

        Raises
        ------
        TypeError
            If the function gives something other than a tensor.
        ValueError
            If its results differ in shape, or have other channels or features than the samples.
        """
        views = [self.transform(sample) for sample in batch]
        for view in views:
            if not isinstance(view, torch.Tensor):
                raise TypeError(f"views: {self.transform!r} must give tensors, got {type(view).__name__}.")
        shapes = sorted({tuple(view.shape) for view in views})
        if len(shapes) > 1:
            raise ValueError(f"views: {self.transform!r} must give views of one shape, got {shapes} in one batch.")
        sample_shape = tuple(batch.shape[1:])
        if len(shapes[0]) != len(sample_shape) or shapes[0][0] != sample_shape[0]:
            raise ValueError(
                f"views: {self.transform!r} must keep the channels or features of a sample, got a view of shape "
                f"{shapes[0]} of a sample of shape {sample_shape}."
            )
        return torch.stack(views)
