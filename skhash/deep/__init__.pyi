from ._context import TrainingContext as TrainingContext
from ._data import AnySamples as AnySamples
from ._hasher import DeepHasher as DeepHasher
from ._training import train as train

__all__ = ["AnySamples", "DeepHasher", "TrainingContext", "train"]
