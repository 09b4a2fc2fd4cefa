"""Files that prove: hashes, time, place, retention and what is shown outward."""
