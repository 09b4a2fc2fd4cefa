"""One folder a scanner of uploads."""
