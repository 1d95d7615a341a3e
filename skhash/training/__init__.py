"""The training loop, once for all methods, and what belongs to it."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._batches": ["GroupedBatches", "ShuffledBatches", "steps_per_epoch"],
        "._binary": ["binary_layers", "reestimate_batch_norm"],
        "._callbacks": ["CallbackSupport", "FitTask", "with_callbacks"],
        "._device": ["resolve_device"],
        "._early_stopping": ["EarlyStopping"],
        "._epochs": ["run_epochs"],
        "._loop": ["Batch", "TrainingLoop"],
        "._optim": ["make_optimizer", "make_schedule"],
        "._parameters": ["TRAINING_CONSTRAINTS", "check_recipe", "document_parameters"],
        "._recipes": ["RECIPES", "Recipe", "Steps", "adapt_to_features", "dropout_for", "epochs_for"],
        ".views._resolve": ["resolve_views"],
        ".views._sample_views": ["SampleViews"],
        ".views._feature_views": ["FeatureViews"],
        ".views._image_views": ["ImageViews"],
        ".views._random_resized_crop": ["RandomResizedCrop"],
        ".views._random_flip": ["RandomFlip"],
        ".views._color_jitter": ["ColorJitter"],
        ".views._random_grayscale": ["RandomGrayscale"],
        ".views._gaussian_blur": ["GaussianBlur"],
        ".views._random_crop_flip": ["RandomCropFlip"],
    },
)
