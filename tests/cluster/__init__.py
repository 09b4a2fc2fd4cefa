"""Detectors on Apache Spark, where it is installed: ``make cluster``."""
