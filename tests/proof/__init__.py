"""The hard promises, shown on the whole product."""
