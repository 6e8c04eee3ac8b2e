"""A made-up drug market whose true risks are known, in which nothing names a real drug or firm."""
