"""Comparing artifacts with their models, and saying where they differ and why."""
