from ._export import export_onnx as export_onnx

__all__ = ["export_onnx"]
