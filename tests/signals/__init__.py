"""The way in, as a whole: real processes, real database, real kills."""
