"""Hashers that are one matrix: the sign of a linear projection."""

from skhash.methods._streamed import StreamedHasher, project


class LinearHasher(StreamedHasher):
    """Base class of linear hashers: bit `k` is the sign of `(x - mean_) @ components_[k]`.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    def _project(self, X):
        for z, _ in project(X, self.mean_, self.components_):
            yield z
