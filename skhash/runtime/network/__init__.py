"""A network as data, and an interpreter of it in plain numpy."""
