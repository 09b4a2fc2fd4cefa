"""The HTTP API (django-ninja root) and pages."""
