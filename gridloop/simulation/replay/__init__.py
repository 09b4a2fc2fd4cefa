"""Replay of recorded real data into a running deployment: a mapping (YAML), a territory made from the data, and the feed."""
