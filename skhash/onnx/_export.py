"""Write a hasher as an ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

import skhash
from skhash.onnx._modules import Hash, make_stages
from skhash.utils import atomic_replace, check_option, import_optional

if TYPE_CHECKING:
    import os

__all__ = ["export_onnx"]

_OPSET, _IR_VERSION = 18, 8  # both of ONNX 1.13, which onnxruntime reads since 1.14
_TRACED = 3  # samples of the call that is recorded: 0 and 1 would be taken for fixed sizes


def export_onnx(
    estimator: Any, path: str | os.PathLike[str], *, features: Literal["float64", "float32"] = "float64"
) -> None:
    """Write a fitted hasher, with all preprocessing, as an ONNX file.

    The graph has one input, `X`: features (n, n_features), or images (n, channels, height, width), of type uint8 if the
    hasher was fitted on integer pixels and float32 otherwise. It has two outputs: `continuous` (n, bits), what
    `decision_function` returns, and `codes` (n, bits) of type uint8, what `transform` returns. The number of samples n
    is free. The operators are those of opset 18, without extensions.

    Parameters
    ----------
    estimator : hasher or Pipeline
        An `LSHHasher`, `PCAHasher`, `ITQHasher`, `SpectralHasher` or deep hasher with a network of real numbers; or a
        pipeline of `FeatureExtractor`, ``StandardScaler``, ``MinMaxScaler``, ``Normalizer``, ``PCA`` and such a hasher.
    path : str or path-like
        The file, by convention with the suffix ".onnx". An existing file stays as it is until the new one is complete.
    features : {"float64", "float32"}, default="float64"
        Type of the input `X` if it has features. They are computed with in double precision either way, if the
        hasher does so.

    Raises
    ------
    TypeError
        If an estimator, a step or a binary network cannot be exported; the message names it.
    ValueError
        If a layer cannot be exported.
    ImportError
        If the packages of the extra "onnx" are not installed.

    See Also
    --------
    skhash.save : Save a hasher for Python.
    skhash.deep.DeepHasher.to_packed : Export a binary network for the library's own runtime.

    Notes
    -----
    Features are computed in double precision, as in the library: codes are equal unless a value is zero up to the
    rounding of double precision. Images are computed in single precision, where another order of summation changes the
    last digits; the user guide, :doc:`/user_guide/onnx`, has measurements. `skhash.runtime.compare_codes` counts
    bits that differ, and tells how near to zero their values are.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.onnx import export_onnx
    >>> X, _ = load_digits(return_X_y=True)
    >>> hasher = ITQHasher(bits=16, random_state=0).fit(X)
    >>> export_onnx(hasher, "hasher.onnx")  # doctest: +SKIP
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("hasher.onnx")  # doctest: +SKIP
    >>> continuous, codes = session.run(None, {"X": X})  # doctest: +SKIP
    """
    check_option("features", features, ("float64", "float32"))
    stages = make_stages(estimator)
    onnx = import_optional("onnx", extra="onnx", purpose="Export to ONNX")
    import_optional("onnxscript", extra="onnx", purpose="Export to ONNX")
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: no such directory: {path.parent}.")
    if stages[0].integer:
        dtype = torch.uint8
    else:
        dtype = torch.float32 if len(stages[0].input_shape) == 3 else getattr(torch, features)
    model = _trace(Hash(stages).eval(), torch.zeros((_TRACED, *stages[0].input_shape), dtype=dtype))
    _describe(model, estimator)
    content = model.SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    with atomic_replace(path) as file:
        file.write(content)


def _trace(module: torch.nn.Module, inputs: torch.Tensor) -> Any:
    """Return the graph of a module as torch exports it."""
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (inputs,),
                dynamo=True,
                opset_version=_OPSET,
                input_names=["X"],
                output_names=["continuous", "codes"],
                dynamic_shapes=({0: torch.export.Dim("n")},),
                verbose=False,
            )
        assert program is not None
        return program.model_proto
    except ImportError:
        raise
    except Exception as error:  # of any type: torch's exporter runs the code of all layers
        cause = str(error.__cause__ or error).strip().partition("\n")[0]
        raise ValueError(f"torch cannot export this network to ONNX: {cause}") from error


def _describe(model: Any, estimator: Any) -> None:
    """Name the origin of the graph, and remove where torch found its parts: files of this machine."""
    model.ir_version = _IR_VERSION
    model.producer_name, model.producer_version = "skhash", skhash.__version__
    model.doc_string = f"Hash codes by {type(estimator).__name__}: bit k is 1 where continuous[:, k] is at least 0."
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        part.ClearField("metadata_props")
    for node in graph.node:
        node.ClearField("doc_string")
    del graph.value_info[:]
    del model.metadata_props[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from warning of packages that it does not find and of its own deprecated calls."""
    levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "onnxscript", "onnx_ir")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
