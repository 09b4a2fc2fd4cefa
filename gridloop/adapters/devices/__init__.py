"""One folder a device protocol."""
