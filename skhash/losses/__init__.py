"""Losses as pure functions and thin modules: tensors in, a scalar out, usable without any estimator."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._classification": ["imbalanced_binary_cross_entropy", "soft_cross_entropy", "to_multi_hot"],
        "._ortho": ["OrthoLoss", "margin_logits", "ortho_loss"],
        "._quantization": ["cosine_quantization_loss"],
    },
)
