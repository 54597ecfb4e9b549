"""``python -m tests.doubles.odoo --port 8069 --gevent-port 8072 --control-port 8070``: the double as a process."""

from __future__ import annotations

import signal
import sys
import threading

from tests.doubles.odoo.control import Running, control_server
from tests.doubles.odoo.settings import read_options
from tests.doubles.odoo.world import World


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    settings = read_options()
    running = Running(World(settings))
    running.open()
    control = control_server(running, settings.control_port)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    sys.stdout.write(f"http://127.0.0.1:{settings.port}\n")
    sys.stdout.flush()
    ended.wait()
    # Workers and sockets are daemon threads: the process's end is theirs.
    return 0


if __name__ == "__main__":
    sys.exit(main())
