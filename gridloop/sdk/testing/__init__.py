"""Tests that every implementation of an sdk protocol passes: subclass, give the fixture, run pytest."""
