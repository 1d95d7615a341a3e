"""Image data sets, retrieval splits with a leakage guard."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._cifar10": ["fetch_cifar10"],
        "._cifar100": ["fetch_cifar100"],
        "._fashion_mnist": ["fetch_fashion_mnist"],
        "._gldv2": ["load_gldv2"],
        "._imagenet100": ["load_imagenet100"],
        "._leakage": ["LeakageWarning", "check_leakage"],
        "._mscoco": ["load_mscoco"],
        "._nuswide21": ["load_nuswide21"],
        "._protocols": ["PROTOCOLS", "RetrievalProtocol"],
        "._revisited": ["load_revisited"],
        "._split": ["RetrievalSplit", "retrieval_split"],
    },
)
