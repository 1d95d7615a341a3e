"""Deep hashing with scikit-learn's interface: learn binary codes for images and features, and search them.

Importing the package loads neither torch nor numba: every public name is resolved on first use.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
