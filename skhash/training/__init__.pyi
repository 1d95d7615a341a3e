from ._batches import GroupedBatches as GroupedBatches
from ._batches import ShuffledBatches as ShuffledBatches
from ._batches import steps_per_epoch as steps_per_epoch
from ._binary import LatentClip as LatentClip
from ._binary import binary_layers as binary_layers
from ._binary import reestimate_batch_norm as reestimate_batch_norm
from ._callbacks import CallbackSupport as CallbackSupport
from ._callbacks import FitTask as FitTask
from ._callbacks import with_callbacks as with_callbacks
from ._checkpoint import Checkpoint as Checkpoint
from ._device import resolve_device as resolve_device
from ._early_stopping import EarlyStopping as EarlyStopping
from ._epochs import run_epochs as run_epochs
from ._loop import Batch as Batch
from ._loop import TrainingLoop as TrainingLoop
from ._optim import make_optimizer as make_optimizer
from ._optim import make_schedule as make_schedule
from ._parameters import TRAINING_CONSTRAINTS as TRAINING_CONSTRAINTS
from ._parameters import TrainingParameters as TrainingParameters
from ._parameters import check_recipe as check_recipe
from ._parameters import document_parameters as document_parameters
from ._precision import has_bfloat16 as has_bfloat16
from ._precision import resolve_precision as resolve_precision
from ._ranks import FabricLike as FabricLike
from ._ranks import Ranks as Ranks
from ._recipes import RECIPES as RECIPES
from ._recipes import Recipe as Recipe
from ._recipes import Steps as Steps
from ._recipes import adapt_to_features as adapt_to_features
from ._recipes import dropout_for as dropout_for
from ._recipes import epochs_for as epochs_for
from ._resizing import Resizing as Resizing
from .views._color_jitter import ColorJitter as ColorJitter
from .views._copy_views import CopyViews as CopyViews
from .views._feature_views import FeatureViews as FeatureViews
from .views._gaussian_blur import GaussianBlur as GaussianBlur
from .views._image_views import ImageViews as ImageViews
from .views._random_crop_flip import RandomCropFlip as RandomCropFlip
from .views._random_flip import RandomFlip as RandomFlip
from .views._random_grayscale import RandomGrayscale as RandomGrayscale
from .views._random_resized_crop import RandomResizedCrop as RandomResizedCrop
from .views._resolve import resolve_views as resolve_views
from .views._sample_views import SampleViews as SampleViews

__all__ = [
    "Batch",
    "CallbackSupport",
    "Checkpoint",
    "ColorJitter",
    "CopyViews",
    "EarlyStopping",
    "FeatureViews",
    "FabricLike",
    "FitTask",
    "GaussianBlur",
    "GroupedBatches",
    "ImageViews",
    "LatentClip",
    "RECIPES",
    "RandomCropFlip",
    "RandomFlip",
    "RandomGrayscale",
    "RandomResizedCrop",
    "Ranks",
    "Recipe",
    "Resizing",
    "SampleViews",
    "ShuffledBatches",
    "Steps",
    "TRAINING_CONSTRAINTS",
    "TrainingLoop",
    "TrainingParameters",
    "adapt_to_features",
    "binary_layers",
    "check_recipe",
    "document_parameters",
    "dropout_for",
    "epochs_for",
    "has_bfloat16",
    "make_optimizer",
    "make_schedule",
    "reestimate_batch_norm",
    "resolve_device",
    "resolve_precision",
    "resolve_views",
    "run_epochs",
    "steps_per_epoch",
    "with_callbacks",
]
