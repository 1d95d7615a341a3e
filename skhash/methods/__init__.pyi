from ._bihalf import BiHalfHasher as BiHalfHasher
from ._ce import CEHasher as CEHasher
from ._cib import CIBHasher as CIBHasher
from ._copy import CopyHasher as CopyHasher
from ._csq import CSQHasher as CSQHasher
from ._dbdh import DBDHHasher as DBDHHasher
from ._dch import DCHHasher as DCHHasher
from ._dpn import DPNHasher as DPNHasher
from ._dsdh import DSDHHasher as DSDHHasher
from ._dtsh import DTSHHasher as DTSHHasher
from ._greedy import GreedyHasher as GreedyHasher
from ._hashnet import HashNetHasher as HashNetHasher
from ._itq import ITQHasher as ITQHasher
from ._jmlh import JMLHHasher as JMLHHasher
from ._lower_bound import LowerBoundHasher as LowerBoundHasher
from ._lsh import LSHHasher as LSHHasher
from ._one_bit import OneBitDeepHasher as OneBitDeepHasher
from ._ortho import OrthoHasher as OrthoHasher
from ._pca import PCAHasher as PCAHasher
from ._perceptual import PerceptualHasher as PerceptualHasher
from ._posterior import PosteriorHasher as PosteriorHasher
from ._sdc import SDCHasher as SDCHasher
from ._sdhc import SDHCHasher as SDHCHasher
from ._spectral import SpectralHasher as SpectralHasher
from ._ssdh import SSDHHasher as SSDHHasher
from ._tbh import TBHHasher as TBHHasher

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
    "GreedyHasher",
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
    "SpectralHasher",
    "TBHHasher",
]
