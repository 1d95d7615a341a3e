from . import centers as centers
from . import cli as cli
from . import codes as codes
from . import datasets as datasets
from . import distributed as distributed
from . import duplicates as duplicates
from . import features as features
from . import hub as hub
from . import images as images
from . import index as index
from . import io as io
from . import losses as losses
from . import methods as methods
from . import metrics as metrics
from . import nn as nn
from . import onnx as onnx
from . import perceptual as perceptual
from . import runtime as runtime
from . import stores as stores
from . import training as training
from . import utils as utils
from .duplicates import find_duplicates as find_duplicates
from .features import FeatureExtractor as FeatureExtractor
from .index import EmbeddingIndex as EmbeddingIndex
from .index import HammingIndex as HammingIndex
from .index import HammingNeighborsTransformer as HammingNeighborsTransformer
from .index import SearchPipeline as SearchPipeline
from .index import ShardedEmbeddingIndex as ShardedEmbeddingIndex
from .index import ShardedHammingIndex as ShardedHammingIndex
from .index import make_search_pipeline as make_search_pipeline
from .index import warm_up as warm_up
from .io import load as load
from .io import save as save
from .methods import BiHalfHasher as BiHalfHasher
from .methods import CEHasher as CEHasher
from .methods import CIBHasher as CIBHasher
from .methods import CopyHasher as CopyHasher
from .methods import CSQHasher as CSQHasher
from .methods import DBDHHasher as DBDHHasher
from .methods import DCHHasher as DCHHasher
from .methods import DPNHasher as DPNHasher
from .methods import DSDHHasher as DSDHHasher
from .methods import DTSHHasher as DTSHHasher
from .methods import GreedyHasher as GreedyHasher
from .methods import HashNetHasher as HashNetHasher
from .methods import ITQHasher as ITQHasher
from .methods import JMLHHasher as JMLHHasher
from .methods import LowerBoundHasher as LowerBoundHasher
from .methods import LSHHasher as LSHHasher
from .methods import OneBitDeepHasher as OneBitDeepHasher
from .methods import OrthoHasher as OrthoHasher
from .methods import PCAHasher as PCAHasher
from .methods import PerceptualHasher as PerceptualHasher
from .methods import PosteriorHasher as PosteriorHasher
from .methods import SDCHasher as SDCHasher
from .methods import SDHCHasher as SDHCHasher
from .methods import SpectralHasher as SpectralHasher
from .methods import SSDHHasher as SSDHHasher
from .methods import TBHHasher as TBHHasher
from .runtime import load_packed as load_packed

__version__: str

__all__ = [
    "BiHalfHasher",
    "CEHasher",
    "CIBHasher",
    "CSQHasher",
    "CopyHasher",
    "DBDHHasher",
    "DCHHasher",
    "DPNHasher",
    "DSDHHasher",
    "DTSHHasher",
    "EmbeddingIndex",
    "FeatureExtractor",
    "GreedyHasher",
    "HammingIndex",
    "HammingNeighborsTransformer",
    "HashNetHasher",
    "ITQHasher",
    "JMLHHasher",
    "LSHHasher",
    "LowerBoundHasher",
    "OneBitDeepHasher",
    "OrthoHasher",
    "PCAHasher",
    "PerceptualHasher",
    "PosteriorHasher",
    "SDCHasher",
    "SDHCHasher",
    "SSDHHasher",
    "SearchPipeline",
    "ShardedEmbeddingIndex",
    "ShardedHammingIndex",
    "SpectralHasher",
    "TBHHasher",
    "centers",
    "cli",
    "codes",
    "datasets",
    "distributed",
    "duplicates",
    "features",
    "find_duplicates",
    "hub",
    "images",
    "index",
    "io",
    "load",
    "load_packed",
    "losses",
    "make_search_pipeline",
    "methods",
    "metrics",
    "nn",
    "onnx",
    "perceptual",
    "runtime",
    "save",
    "stores",
    "training",
    "utils",
    "warm_up",
]
