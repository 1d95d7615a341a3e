from ._context import TrainingContext as TrainingContext
from ._hasher import DeepHasher as DeepHasher
from ._training import train as train

__all__ = ["DeepHasher", "TrainingContext", "train"]
