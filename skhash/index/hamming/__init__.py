"""The estimator `HammingIndex`: its state, and one mixin of public methods per topic."""
