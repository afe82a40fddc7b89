"""`python -m gateway` is the command `gateway`."""

from gateway.entrypoints.cli import main

main(prog_name="gateway")
