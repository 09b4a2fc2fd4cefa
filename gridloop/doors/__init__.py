"""The ways in: HTTP, push, ingest, worker and command line."""
