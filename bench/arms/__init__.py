"""The arms of the benchmark: implementations to compare with, and the gateway without some of its parts."""
