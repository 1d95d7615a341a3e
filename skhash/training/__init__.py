"""The training loop, once for all methods, and what belongs to it."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._callbacks": ["CallbackSupport", "FitTask", "with_callbacks"],
        "._device": ["resolve_device"],
        "._early_stopping": ["EarlyStopping"],
        "._epochs": ["run_epochs"],
        "._loop": ["Batch", "TrainingLoop", "steps_per_epoch"],
        "._optim": ["make_optimizer", "make_schedule"],
        "._parameters": ["TRAINING_CONSTRAINTS", "check_recipe", "document_parameters"],
        "._recipes": ["RECIPES", "Recipe", "Steps", "adapt_to_features", "dropout_for", "epochs_for"],
        "._resolve_views": ["SampleViews", "resolve_views"],
        "._feature_views": ["FeatureViews"],
        "._views": ["RandomCropFlip"],
    },
)
