"""Scorers for scikit-learn."""
