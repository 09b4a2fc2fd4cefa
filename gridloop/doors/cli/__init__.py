"""The `gridloop` command and the supervisor."""
