"""Bad input at every door of the running product."""
