"""Public records turned into what was known about each drug on a given day."""
