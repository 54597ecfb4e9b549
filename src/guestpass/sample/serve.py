"""Serve the sample: ``python -m guestpass.sample.serve --port 9000 --name "Harbour Supplies"``."""

from __future__ import annotations

import argparse

import uvicorn

from guestpass.sample.application import create_application


def serve(port: int, *, host: str = "127.0.0.1", name: str | None = None) -> None:
    """Run the sample until SIGINT or SIGTERM; a stream that is still open then is given one second."""
    uvicorn.run(
        create_application(name) if name else create_application(),
        host=host,
        port=port,
        ws="wsproto",
        lifespan="off",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="guestpass.sample.serve", description="A small application to share.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", help="what the application calls itself")
    arguments = parser.parse_args()
    serve(arguments.port, host=arguments.host, name=arguments.name)


if __name__ == "__main__":
    main()
