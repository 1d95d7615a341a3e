from ._arrays import encode_dask as encode_dask
from ._arrays import is_dask as is_dask
from ._arrays import is_mapped as is_mapped
from ._arrays import read_only as read_only
from ._available import available_if as available_if
from ._changes import check_unchanged as check_unchanged
from ._discovery import all_estimators as all_estimators
from ._discovery import all_hashers as all_hashers
from ._features import is_array_like as is_array_like
from ._features import is_plain as is_plain
from ._features import unwrap_features as unwrap_features
from ._files import atomic_replace as atomic_replace
from ._files import sync_folder as sync_folder
from ._labels import Labels as Labels
from ._labels import are_labels as are_labels
from ._labels import read_labels as read_labels
from ._memory import memory_batches as memory_batches
from ._memory import working_memory as working_memory
from ._optional import import_optional as import_optional
from ._pixels import is_pil as is_pil
from ._pixels import measure_image as measure_image
from ._pixels import open_image as open_image
from ._pixels import read_color as read_color
from ._pixels import read_pixels as read_pixels
from ._random import local_random_state as local_random_state
from ._restore import restore_on_error as restore_on_error
from ._rotation import FastRotation as FastRotation
from ._rotation import random_orthonormal_rows as random_orthonormal_rows
from ._rotation import random_rotation as random_rotation
from ._signature import inherit_parameters as inherit_parameters
from ._threads import ProcessLock as ProcessLock
from ._threads import count_threads as count_threads
from ._threads import map_threads as map_threads
from ._to_numpy import to_numpy as to_numpy
from ._to_numpy import unwrap as unwrap
from ._typing import CodesLike as CodesLike
from ._typing import RandomStateLike as RandomStateLike
from ._typing import SamplesLike as SamplesLike
from ._validation import Interval as Interval
from ._validation import Options as Options
from ._validation import StrOptions as StrOptions
from ._validation import check_option as check_option
from ._validation import check_values as check_values
from ._validation import fit_context as fit_context
from ._validation import validate_params as validate_params

__all__ = [
    "CodesLike",
    "FastRotation",
    "Interval",
    "Labels",
    "Options",
    "ProcessLock",
    "RandomStateLike",
    "SamplesLike",
    "StrOptions",
    "all_estimators",
    "all_hashers",
    "are_labels",
    "atomic_replace",
    "available_if",
    "check_option",
    "check_unchanged",
    "check_values",
    "count_threads",
    "encode_dask",
    "fit_context",
    "import_optional",
    "inherit_parameters",
    "is_array_like",
    "is_dask",
    "is_mapped",
    "is_plain",
    "is_pil",
    "local_random_state",
    "map_threads",
    "measure_image",
    "memory_batches",
    "open_image",
    "random_orthonormal_rows",
    "random_rotation",
    "read_color",
    "read_labels",
    "read_only",
    "read_pixels",
    "restore_on_error",
    "sync_folder",
    "to_numpy",
    "unwrap",
    "unwrap_features",
    "validate_params",
    "working_memory",
]
