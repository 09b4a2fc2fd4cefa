"""Detectors over columns of readings: event time in, alarms out. Pure: NumPy and the kernel, no Django, no clock, no I/O.

What can be said is in :mod:`rules`, what comes out in :mod:`messages`; :class:`engine.Engine` runs it. The meaning of every operator is
the plain reference in ``tests/reference.py``, which the engine is held against.
"""
