"""Faults, one after the other, under load: `make torture`. What is promised meanwhile: docs/reliability.md."""
