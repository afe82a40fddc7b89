"""`python -m gateway` is the command `gateway`."""

from gateway.entrypoints.launch import launch

launch()
