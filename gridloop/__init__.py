"""Gridloop 网格闭环: signals become cases, cases reach the right people, and every case is brought to a proven end."""

__version__ = "0.1.0"
