"""Audiences, templates and delivery to channels; a consumer of the trace."""
