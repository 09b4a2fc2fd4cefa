"""The trace: append-only hash-chained facts, sealed values beside them, consumers with cursors, and the frame every verb runs in."""
