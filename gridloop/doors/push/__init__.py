"""Server-sent events from the journal."""
