"""Building blocks of hashing networks, their costs, and batch-invariant inference.

Batch-invariant means that the code of a sample does not depend on the batch in which it is computed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
