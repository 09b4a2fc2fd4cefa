"""Signals by HTTP and MQTT into the durable log."""
