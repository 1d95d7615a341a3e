"""Statistics of codes for which nothing is searched."""
