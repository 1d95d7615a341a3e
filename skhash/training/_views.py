"""Random views of image tensors, drawn from a generator of our own."""

import torch
import torch.nn.functional as F


class RandomCropFlip:
    """Shift every image by up to some pixels and mirror every second one.

    Parameters
    ----------
    padding : int, default=2
        Largest shift in pixels, in both directions; the border is filled with zeros.
    flip : bool, default=True
        Whether to mirror left and right with probability 1/2.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import RandomCropFlip
    >>> views = RandomCropFlip(padding=2)
    >>> views(torch.zeros(8, 1, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(self, padding=2, *, flip=True):
        self.padding = padding
        self.flip = flip

    def __repr__(self):
        return f"{type(self).__name__}(padding={self.padding}, flip={self.flip})"

    def __call__(self, images, generator):
        """Give a random view of every image.

        Parameters
        ----------
        images : Tensor of shape (n, channels, height, width)
            On any device.
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        views : Tensor of the same shape
            New tensor.
        """
        if images.ndim != 4:
            raise ValueError(
                f"augment: RandomCropFlip takes images (n, c, h, w), got a batch of shape {tuple(images.shape)}."
            )
        n, _, height, width = images.shape
        padded = F.pad(images, (self.padding,) * 4)
        shift = torch.randint(0, 2 * self.padding + 1, (2, n, 1), generator=generator)
        rows = shift[0] + torch.arange(height)  # (n, height)
        columns = shift[1] + torch.arange(width)  # (n, width)
        if self.flip:
            mirrored = torch.rand((n, 1), generator=generator) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        sample = torch.arange(n)[:, None, None].to(images.device)
        # Advanced indices around a slice move to the front: (n, height, width, channels).
        views = padded[sample, :, rows[:, :, None].to(images.device), columns[:, None, :].to(images.device)]
        return views.permute(0, 3, 1, 2).contiguous()
