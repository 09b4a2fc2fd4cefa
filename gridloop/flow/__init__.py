"""Processes (BPMN + CEL), user tasks, limits and waits."""
