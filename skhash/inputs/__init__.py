"""Input adapters: whatever people keep images and features in, as samples that give batches of tensors."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._samples": ["DatasetSamples", "ImageFiles", "Samples", "SampleSubset", "read_images"],
    },
)
