"""One folder a notice channel."""
