"""Devices, channels, outside systems and maps; each a folder that imports the sdk only."""
