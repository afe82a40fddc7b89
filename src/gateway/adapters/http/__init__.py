"""The REST API on Litestar: decode, command, encode."""
