"""Random views (augmentations) of images and features; see `skhash.training`."""
