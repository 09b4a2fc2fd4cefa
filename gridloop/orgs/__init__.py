"""Levels, regions and grids with history, units, posts, duties, staff, roster and the working calendar."""
