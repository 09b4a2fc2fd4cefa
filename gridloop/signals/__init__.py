"""Raw signals: the durable log, same-thing keys, silent devices and the history of readings."""
