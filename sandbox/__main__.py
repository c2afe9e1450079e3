"""`python -m sandbox --dir DIR --port N --gateway URL`: serve the campus until stopped."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import socket
import sys
import time
from pathlib import Path
from threading import Thread

from werkzeug.serving import make_server

from sandbox.factory import create_app

_LOOK_SECONDS = 0.1


class _Orders:
    """What signals have told us."""

    def __init__(self) -> None:
        # A plain flag: starting a thread takes a lock, which this very one may hold at the moment of the signal.
        self.stopped = False

    def stop(self, *_: object) -> None:
        self.stopped = True


def main() -> int:
    options = _options()
    directory = Path(options.dir)
    directory.mkdir(parents=True, exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=256)
    port = listener.getsockname()[1]
    base_url = f"http://{options.host}:{port}"
    app = create_app(directory, base_url, options.gateway)
    server = make_server("127.0.0.1", port, app, threaded=True, fd=listener.fileno())
    orders = _Orders()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, orders.stop)
    serving = Thread(target=server.serve_forever, name="campus")
    serving.start()
    _say(base_url)
    while not orders.stopped and serving.is_alive():
        time.sleep(_LOOK_SECONDS)
    server.shutdown()
    serving.join()
    server.server_close()
    app.extensions["campus"].store.close()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The practice campus")
    parser.add_argument(
        "--dir", required=True, help="where it remembers people, grades, statements"
    )
    parser.add_argument("--port", type=int, default=8100, help="0 takes a free one")
    parser.add_argument("--gateway", default="http://127.0.0.1:8000", help="the gateway's base URL")
    parser.add_argument(
        "--host",
        choices=("127.0.0.1", "localhost"),
        default="127.0.0.1",
        help="the name in its own URLs; localhost makes it another site than the gateway's",
    )
    return parser.parse_args()


def _say(base_url: str) -> None:
    """One line of JSON: where everything is."""
    urls = {
        "url": base_url,
        "lms": f"{base_url}/lms",
        "idp": f"{base_url}/idp",
        "lrs": f"{base_url}/lrs/xapi",
        "control": f"{base_url}/control",
    }
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
