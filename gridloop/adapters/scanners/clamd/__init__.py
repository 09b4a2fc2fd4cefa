"""ClamAV's daemon, asked over its socket."""
