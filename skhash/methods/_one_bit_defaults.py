"""Values of the parameters of `OneBitDeepHasher` that are None or "auto"."""

from __future__ import annotations

from typing import Any

from skhash.training import ImageViews, RandomCropFlip

# Values of the parameters that are None: of the library's own recipes, and of the recipe "paper".
DEFAULTS: dict[str, tuple[Any, Any]] = {
    "centers": ("auto", "embeddings"),
    "classifier_weight": (1e-4, 1e-4),
    "aggregation_weight": (0.03, 1e-3),
    "group_size": ("class", 2),
    "distillation_weight": (1.0, 0.0),
    "center_lr_ratio": (0.3, 1.0),
    "warm_up_epochs": (30, 100),
}
# Those of the recipe "fast" that differ from the library's own: without a teacher, a step takes a seventh less time.
_FAST: dict[str, Any] = {"classifier_weight": 0.0, "distillation_weight": 0.0, "warm_up_epochs": 4}
_PAPER_VIEWS: dict[str, Any] = {"crop_scale": (0.08, 1.0), "jitter": 0.8, "jitter_strength": (0.4, 0.8, 0.8, 0.2)}


def default_value(name: str, recipe: object) -> Any:
    """Return the value of a parameter that is None, in a recipe: a name or a `Recipe`."""
    own, paper = DEFAULTS[name]
    if recipe == "paper":
        return paper
    return _FAST.get(name, own) if recipe == "fast" else own


def binary_backbone(sample_shape: tuple[int, ...]) -> str:
    """Return the name of the backbone that "auto" stands for."""
    if len(sample_shape) == 1:
        return "binary_mlp"
    channels, side = sample_shape[0], max(sample_shape[1:])
    if side > 100:
        return "bireal18"
    return "bireal_tiny" if channels == 1 and side <= 32 else "bireal_small"


def image_views(sample_shape: tuple[int, ...], recipe: object) -> ImageViews | RandomCropFlip:
    """Return the random views of images that "auto" stands for."""
    side = max(sample_shape[1:])
    if recipe == "paper":
        return ImageViews(**_PAPER_VIEWS, blur_kernel=side // 10 | 1)  # 25 of the authors' 256 pixels
    # Stronger views make up for few images, but need more epochs than the default. A mirrored digit is another digit,
    # but a mirrored object in color is not another object.
    return RandomCropFlip(max(side // (14 if recipe == "fast" else 8), 1), flip=0.5 if sample_shape[0] > 1 else 0.0)
