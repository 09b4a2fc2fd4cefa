"""Loads, checks, installs and switches scene packs, and plays their stories."""
