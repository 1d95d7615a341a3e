"""The search engine: a scan or tables, chosen by cost."""
