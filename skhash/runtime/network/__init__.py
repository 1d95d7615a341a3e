"""A network as data, and the same network in plain numpy."""
