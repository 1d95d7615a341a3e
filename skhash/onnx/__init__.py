"""Export of hashers as ONNX graphs, which other runtimes and languages can run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
