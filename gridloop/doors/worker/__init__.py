"""Due limits, consumers, detectors and deliveries."""
