"""The ways out: one folder per channel, copied to make a new one."""
