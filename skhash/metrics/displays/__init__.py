"""Displays, which draw what the other rooms compute."""
