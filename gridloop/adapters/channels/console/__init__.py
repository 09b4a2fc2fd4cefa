"""Messages in the log of the worker, for trying things out."""
