from ._blocks import double_blocks as double_blocks
from ._covariance import RunningCovariance as RunningCovariance
from ._covariance import RunningMean as RunningMean
from ._principal import PrincipalCovariance as PrincipalCovariance
from ._sample import Sample as Sample
from ._sparse import SparseRows as SparseRows

__all__ = ["PrincipalCovariance", "RunningCovariance", "RunningMean", "Sample", "SparseRows", "double_blocks"]
