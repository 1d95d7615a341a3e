from ._images import read_images as read_images
from ._samples import DatasetSamples as DatasetSamples
from ._samples import ImageFiles as ImageFiles
from ._samples import Samples as Samples
from ._samples import SampleSubset as SampleSubset

__all__ = ["DatasetSamples", "ImageFiles", "SampleSubset", "Samples", "read_images"]
