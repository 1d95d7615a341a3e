"""The estimator `HammingIndex`, one mixin per topic."""
