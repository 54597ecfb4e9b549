"""Serve the sample: ``python -m examples.sample.serve --port 9000 --name "Harbour Supplies"``."""

from __future__ import annotations

import argparse
import os
import signal
from threading import Thread

import uvicorn

from examples.sample.application import create_application


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


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="examples.sample.serve", description="A small application to share.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", help="what the application calls itself")
    parser.add_argument("--until-input-ends", action="store_true", help="end with whoever holds the standard input")
    arguments = parser.parse_args()
    if arguments.until_input_ends:
        Thread(target=_end_with_input, daemon=True).start()
    serve(arguments.port, host=arguments.host, name=arguments.name)


if __name__ == "__main__":
    main()
