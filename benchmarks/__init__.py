"""Measurements; see docs/reference/benchmarks.md."""
