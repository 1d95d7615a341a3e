"""Scorers for scikit-learn's cross-validation and searches, from ranking metrics and from statistics of codes.

`_estimator_codes` finds the codes and the index of an estimator; the scorers use `ranking` and `codes`.
"""
