from ._classes import ClassScores as ClassScores
from ._classes import ClassVotes as ClassVotes
from ._load import load_packed as load_packed
from ._packed_hasher import PackedHasher as PackedHasher
from ._verification import CodeComparison as CodeComparison
from ._verification import compare_codes as compare_codes
from .codegen._peak import popcount_roof as popcount_roof
from .compile._explanation import CompiledBuffer as CompiledBuffer
from .compile._explanation import CompiledJob as CompiledJob
from .compile._explanation import CompiledPlan as CompiledPlan
from .network._convolutions import BinaryConv as BinaryConv
from .network._convolutions import Int8Conv as Int8Conv
from .network._convolutions import Lookup as Lookup
from .network._convolutions import RealConv as RealConv
from .network._elementwise import Add as Add
from .network._elementwise import Affine as Affine
from .network._elementwise import Clip as Clip
from .network._elementwise import Concat as Concat
from .network._elementwise import RPReLU as RPReLU
from .network._elementwise import Sign as Sign
from .network._elementwise import SignsToReal as SignsToReal
from .network._interpreter import interpret as interpret
from .network._network import Network as Network
from .network._operation import Map as Map
from .network._pools import AvgPool as AvgPool
from .network._pools import GlobalAvgPool as GlobalAvgPool
from .network._pools import MaxPool as MaxPool

__all__ = [
    "Add",
    "Affine",
    "AvgPool",
    "BinaryConv",
    "Clip",
    "ClassScores",
    "ClassVotes",
    "CodeComparison",
    "CompiledBuffer",
    "CompiledJob",
    "CompiledPlan",
    "Concat",
    "GlobalAvgPool",
    "Int8Conv",
    "Lookup",
    "Map",
    "MaxPool",
    "Network",
    "PackedHasher",
    "RPReLU",
    "RealConv",
    "Sign",
    "SignsToReal",
    "compare_codes",
    "interpret",
    "load_packed",
    "popcount_roof",
]
