"""What the demo remembers in its folder, so that it goes on with the same data and credentials."""

from __future__ import annotations

import json
import secrets
import shlex
import socket
from pathlib import Path
from typing import Any


class Memory:
    """A JSON file that only its owner may read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "state.json"
        self._held: dict[str, Any] = (
            json.loads(self._path.read_text()) if self._path.exists() else {}
        )

    def get(self, name: str) -> Any:
        """Return what is remembered under a name, or None."""
        return self._held.get(name)

    def put(self, name: str, value: Any) -> Any:
        """Remember a value, at once and for good; returns it."""
        self._held[name] = value
        write_private(self._path, json.dumps(self._held, indent=2))
        return value

    def secret(self, name: str) -> str:
        """Return the remembered secret of this name, drawing it the first time."""
        return str(self.get(name) or self.put(name, secrets.token_urlsafe(32)))

    def port(self, name: str, wanted: int) -> int:
        """Return the wanted port; for 0 the one used before if it is free, else a free one."""
        if wanted:
            return int(self.put(name, wanted))
        before = self.get(name)
        return int(before if before and _free(before) else self.put(name, _any_free()))


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable only by its owner."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


def environment_file(environ: dict[str, str]) -> str:
    """Write settings as a shell reads them."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(environ.items()))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
