from ._cifar10 import fetch_cifar10 as fetch_cifar10
from ._cifar100 import fetch_cifar100 as fetch_cifar100
from ._fashion_mnist import fetch_fashion_mnist as fetch_fashion_mnist
from ._gldv2 import load_gldv2 as load_gldv2
from ._imagenet100 import load_imagenet100 as load_imagenet100
from ._mscoco import load_mscoco as load_mscoco
from ._nuswide21 import load_nuswide21 as load_nuswide21
from ._revisited import load_revisited as load_revisited
from .splits._leakage import LeakageWarning as LeakageWarning
from .splits._leakage import check_leakage as check_leakage
from .splits._protocols import PROTOCOLS as PROTOCOLS
from .splits._protocols import RetrievalProtocol as RetrievalProtocol
from .splits._split import RetrievalSplit as RetrievalSplit
from .splits._split import retrieval_split as retrieval_split

__all__ = [
    "LeakageWarning",
    "PROTOCOLS",
    "RetrievalProtocol",
    "RetrievalSplit",
    "check_leakage",
    "fetch_cifar10",
    "fetch_cifar100",
    "fetch_fashion_mnist",
    "load_gldv2",
    "load_imagenet100",
    "load_mscoco",
    "load_nuswide21",
    "load_revisited",
    "retrieval_split",
]
