"""The closed tables of what a file may name: estimators, fitted attributes, and small objects of the library.

Names in files are those of these tables. They are never imported as they stand in a file.
"""

from __future__ import annotations

from collections.abc import Container
from importlib import import_module
from typing import Any

from sklearn.base import BaseEstimator

__all__ = [
    "FITTED",
    "INDEXES",
    "SHARDED",
    "SKLEARN",
    "UNSAVED",
    "estimator_name",
    "find_estimator",
    "find_object",
    "fitted_names",
    "is_foreign",
    "is_hasher",
    "is_local",
    "is_object",
]

# Fitted attributes of the library's estimators, with the kinds of `_checks`.
FITTED = {
    "C_": "float",
    "_integer": "bool",
    "_integer_pixels": "bool",
    "_made_with": "dict",
    "_n_features_out": "count",
    "_pickles_summary": "bool",
    "_rotations": "rotations",
    "_sklearn_output_config": "dict",
    "_summary": "Summary",
    "axes_": "int64 1",
    "bits_": "count",
    "centers_": "int8 2",
    "class_centers_": "int8 2",
    "classes_": "array 1",
    "classifier_": "estimator or None",
    "code_components_": "float64 2",
    "code_intercept_": "float64 1",
    "components_": "float64 2",
    "estimator_": "estimator",
    "expected_precisions_": "float64 1",
    "feature_names_in_": "names",
    "frequencies_": "float64 1",
    "history_": "list",
    "index_": "index",
    "inference_": "str",
    "input_shape_": "shape",
    "intercept_": "float64 1",
    "label_index_": "index or None",
    "lower_": "float64 1",
    "mean_": "float64 1",
    "min_distance_": "count",
    "module_": "module",
    "multilabel_": "bool",
    "n_features_in_": "count",
    "n_iter_": "count",
    "n_samples_fit_": "count",
    "n_samples_seen_": "count",
    "orthogonality_": "float",
    "quantization_errors_": "float64 1",
    "recipe_": "Recipe",
    "temperature_": "float",
}

# Of scikit-learn: the module of each class, and its fitted attributes besides `SHARED`.
SHARED = {"n_features_in_", "feature_names_in_", "_sklearn_output_config"}
SKLEARN: dict[str, tuple[str, set[str]]] = {
    "Binarizer": ("sklearn.preprocessing", set()),
    "FeatureUnion": ("sklearn.pipeline", {"_transformers_feature_names_out"}),
    # Without a function: what a `FeatureUnion` makes of "passthrough".
    "FunctionTransformer": ("sklearn.preprocessing", set()),
    "GaussianRandomProjection": (
        "sklearn.random_projection",
        {"components_", "inverse_components_", "n_components_", "_n_features_out"},
    ),
    "IncrementalPCA": (
        "sklearn.decomposition",
        {"components_", "explained_variance_", "explained_variance_ratio_", "singular_values_", "mean_", "var_",
         "noise_variance_", "n_components_", "n_samples_seen_", "batch_size_"},
    ),
    "LogisticRegression": ("sklearn.linear_model", {"classes_", "coef_", "intercept_", "n_iter_"}),
    "MaxAbsScaler": ("sklearn.preprocessing", {"scale_", "max_abs_", "n_samples_seen_"}),
    "MinMaxScaler": (
        "sklearn.preprocessing",
        {"min_", "scale_", "data_min_", "data_max_", "data_range_", "n_samples_seen_"},
    ),
    "Normalizer": ("sklearn.preprocessing", set()),
    "PCA": (
        "sklearn.decomposition",
        {"components_", "explained_variance_", "explained_variance_ratio_", "singular_values_", "mean_",
         "n_components_", "n_samples_", "noise_variance_", "_fit_svd_solver"},
    ),
    "Pipeline": ("sklearn.pipeline", set()),
    "PowerTransformer": ("sklearn.preprocessing", {"lambdas_", "_scaler"}),
    "QuantileTransformer": ("sklearn.preprocessing", {"n_quantiles_", "quantiles_", "references_"}),
    "RobustScaler": ("sklearn.preprocessing", {"center_", "scale_"}),
    "SimpleImputer": ("sklearn.impute", {"statistics_", "indicator_", "_fit_dtype", "_fill_dtype"}),
    "StandardScaler": ("sklearn.preprocessing", {"mean_", "var_", "scale_", "n_samples_seen_"}),
    "TruncatedSVD": (
        "sklearn.decomposition",
        {"components_", "explained_variance_", "explained_variance_ratio_", "singular_values_"},
    ),
    "VarianceThreshold": ("sklearn.feature_selection", {"variances_"}),
}  # fmt: skip

# Dataclasses of the library: their modules.
OBJECTS = {
    "ColorJitter": "skhash.training",
    "CopyViews": "skhash.training",
    "FastRotation": "skhash.utils",
    "FeatureViews": "skhash.training",
    "GaussianBlur": "skhash.training",
    "ImageViews": "skhash.training",
    "PrincipalCovariance": "skhash.summaries",
    "RandomCropFlip": "skhash.training",
    "RandomFlip": "skhash.training",
    "RandomGrayscale": "skhash.training",
    "RandomResizedCrop": "skhash.training",
    "Recipe": "skhash.training",
    "Resizing": "skhash.training",
    "RunningCovariance": "skhash.summaries",
    "RunningMean": "skhash.summaries",
    "Sample": "skhash.summaries",
    "SampleViews": "skhash.training",
    "Steps": "skhash.training",
    "Summary": "skhash.methods._streamed",
}

# Parameters that files have as null: joblib's cache of fitted steps, a folder whose files are pickles.
UNSAVED = ("memory",)

INDEXES = ("HammingIndex", "EmbeddingIndex")
SHARDED = ("ShardedHammingIndex", "ShardedEmbeddingIndex")


def estimator_name(estimator: Any) -> str | None:
    """Return the name of an estimator's class in files, None if the tables do not have this very class."""
    cls = type(estimator)
    for package in ("skhash", "sklearn"):
        name = f"{package}.{cls.__name__}"
        if cls.__module__.partition(".")[0] == package and find_estimator(name) is cls:
            return name
    return None


def find_estimator(name: Any) -> type[Any] | None:
    """Return the class that has a name in files, None if there is none."""
    package, _, own = name.partition(".") if isinstance(name, str) else ("", "", "")
    if package == "sklearn" and own in SKLEARN:
        return getattr(import_module(SKLEARN[own][0]), own)
    library = import_module("skhash")
    is_class = package == "skhash" and own in library.__all__ and own[0].isupper()  # others are functions and packages
    found = getattr(library, own) if is_class else None
    return found if isinstance(found, type) and issubclass(found, BaseEstimator) else None


def find_object(name: Any) -> type[Any] | None:
    """Return the dataclass of the library that has a name in files, None if there is none."""
    known = isinstance(name, str) and name in OBJECTS
    return getattr(import_module(OBJECTS[name]), name) if known else None


def is_object(value: Any) -> bool:
    """Return whether a value is one of the dataclasses of the library."""
    cls = type(value)
    return cls.__module__.startswith("skhash.") and cls.__name__ in OBJECTS and find_object(cls.__name__) is cls


def is_local(executor: Any) -> bool:
    """Return whether an executor of a sharded index needs no cluster, which no file should start."""
    return executor is None or executor == "joblib" or type(executor) is int


def is_foreign(name: str) -> bool:
    """Return whether a class in files is not of the tables, but "package.module:Name", which needs trust."""
    return ":" in name


def is_hasher(cls: Any) -> bool:
    """Return whether something is a class of hashers, the library's or a subclass of the caller's."""
    return isinstance(cls, type) and issubclass(cls, import_module("skhash.base").BaseHasher)


def fitted_names(name: str) -> Container[str]:
    """Return the fitted attributes that an estimator with this name in files may have."""
    if is_foreign(name):
        return FITTED
    package, _, own = name.partition(".")
    return SHARED | SKLEARN[own][1] if package == "sklearn" else FITTED
