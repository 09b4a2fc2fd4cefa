"""Read models for cockpit and indicators."""
