"""One folder a map source."""
