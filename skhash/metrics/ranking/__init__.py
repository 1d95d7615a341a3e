"""Ranking metrics, each for rankings in full and for rankings up to ties."""
