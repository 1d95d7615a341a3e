"""The 1-bit runtime: networks with binary weights and activations on packed words, without torch.

A network is data (`Network`, a list of operations), which a plan lays out for this machine and kernels of vector
instructions run; `interpret` computes the same with numpy, slowly, and is what the kernels are tested against.
"""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        ".network._network": ["Network"],
        ".network._operation": ["Map"],
        ".network._convolutions": ["BinaryConv", "Int8Conv", "Lookup", "RealConv"],
        ".network._elementwise": ["Add", "Affine", "Clip", "Concat", "RPReLU", "Sign", "SignsToReal"],
        ".network._pools": ["AvgPool", "GlobalAvgPool", "MaxPool"],
        "._packed_hasher": ["PackedHasher"],
        "._file": ["load_packed"],
        ".network._interpreter": ["interpret"],
        ".codegen._peak": ["popcount_roof"],
        "._verification": ["CodeComparison", "compare_codes"],
    },
)
