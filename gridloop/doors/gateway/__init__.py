"""``gridloop gateway``: field buses read near the devices, kept on disk, sent to the platform by its public API."""
