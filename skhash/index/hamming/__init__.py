"""The estimator `HammingIndex`: its state, and a chapter with the public methods of each topic."""
