"""Random views (augmentations) of images and features."""
