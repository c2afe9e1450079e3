"""`python -m sandbox --dir DIR --port N --gateway URL`: serve the campus until stopped."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import socket
import sys
from pathlib import Path
from threading import Thread

from werkzeug.serving import make_server

from sandbox.factory import create_app


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
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: Thread(target=server.shutdown).start())
    _say(base_url)
    server.serve_forever()
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
