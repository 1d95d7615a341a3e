from ._assembly import choose_precision as choose_precision
from ._assembly import choose_size as choose_size
from ._context import TrainingContext as TrainingContext
from ._hasher import DeepHasher as DeepHasher
from ._training import train as train
from ._weights import FitWeights as FitWeights

__all__ = ["DeepHasher", "FitWeights", "TrainingContext", "choose_precision", "choose_size", "train"]
