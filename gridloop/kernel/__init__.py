"""Pure Python that every room may use: clock, ids, geo, durations, errors, hashing. No Django, no I/O beyond the clock file."""
