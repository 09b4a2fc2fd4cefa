"""People, households, houses, enterprises, vehicles, places and devices."""
