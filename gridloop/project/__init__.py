"""Settings, urls and wiring: the only place that names adapters."""
