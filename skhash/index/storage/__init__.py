"""A folder that changes atomically, and an index as such a folder."""
