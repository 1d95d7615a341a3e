"""One search, whatever is there: scan or tables, by what searches cost."""
