"""All operations by name."""

from skhash.runtime.network._convolutions import BinaryConv, Int8Conv, Lookup, RealConv
from skhash.runtime.network._elementwise import Add, Affine, Clip, Concat, RPReLU, Sign, SignsToReal
from skhash.runtime.network._pools import AvgPool, GlobalAvgPool, MaxPool

__all__ = ["OPERATIONS"]

OPERATIONS = {
    operation.__name__: operation
    for operation in (
        *(Lookup, Int8Conv, RealConv, BinaryConv, Affine, Sign, SignsToReal, RPReLU, Clip, Add, Concat),
        *(MaxPool, AvgPool, GlobalAvgPool),
    )
}
