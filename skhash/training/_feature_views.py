"""Random views of feature vectors."""

import torch


class FeatureViews:
    """Forget some features of every sample, and blur the others with noise.

    Parameters
    ----------
    dropout : float, default=0.2
        Probability of a value to be replaced by the mean of its feature over the batch, in [0, 1].
    noise : float, default=0.2
        Standard deviation of the normal noise, as a share of that of the feature over the batch; not negative.
    """

    def __init__(self, dropout=0.2, noise=0.2):
        self.dropout = dropout
        self.noise = noise

    def __repr__(self):
        return f"{type(self).__name__}(dropout={self.dropout}, noise={self.noise})"

    def weaker(self, factor=0.5):
        """Give the same at less strength."""
        return type(self)(self.dropout * factor, self.noise * factor)

    def __call__(self, batch, generator):
        """Give a random view of every sample."""
        std, mean = torch.std_mean(batch, 0, correction=0)
        noise = torch.randn(batch.shape, generator=generator).to(batch) * (self.noise * std)
        dropped = (torch.rand(batch.shape, generator=generator) < self.dropout).to(batch.device)
        return torch.where(dropped, mean, batch + noise)
