from ._assembly import choose_precision as choose_precision
from ._context import TrainingContext as TrainingContext
from ._hasher import DeepHasher as DeepHasher
from ._training import train as train

__all__ = ["DeepHasher", "TrainingContext", "choose_precision", "train"]
