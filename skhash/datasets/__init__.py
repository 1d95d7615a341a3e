"""Image data sets, retrieval splits with a leakage guard, and input adapters."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._cifar10": ["fetch_cifar10"],
        "._fashion_mnist": ["fetch_fashion_mnist"],
        "._inputs": ["DatasetSamples", "ImageFiles", "Samples", "SampleSubset", "read_images"],
        "._leakage": ["LeakageWarning", "check_leakage"],
        "._protocols": ["PROTOCOLS", "RetrievalProtocol"],
        "._split": ["RetrievalSplit", "retrieval_split"],
    },
)
