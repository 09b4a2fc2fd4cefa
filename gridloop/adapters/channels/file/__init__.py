"""Messages as JSON lines in a folder: the outbox of a sample deployment, and of one without a contract for messages."""
