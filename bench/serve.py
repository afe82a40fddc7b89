"""Serves another arm as the gateway is served: `python -m bench.serve per_request --port 8001`."""

import click
import uvicorn

from bench.servers import HOST


@click.command
@click.argument("arm")
@click.option("--port", type=int, required=True)
def serve(arm: str, port: int) -> None:
    """Serve an arm until SIGTERM."""
    uvicorn.run(
        f"bench.arms.{arm}:app",
        factory=True,
        host=HOST,
        port=port,
        loop="uvloop",
        http="gateway.entrypoints.connection.protocol:GatewayProtocol",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    serve()
