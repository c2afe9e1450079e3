"""The practice campus beside the demo: started as a process, then told about the gateway."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests


class Campus:
    """The campus's process and its control API."""

    def __init__(self, directory: Path, port: int, gateway: str) -> None:
        command = [
            sys.executable,
            "-m",
            "sandbox",
            "--dir",
            str(directory),
            "--port",
            str(port),
            "--gateway",
            gateway,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise RuntimeError("the campus did not start")
        self.urls: dict[str, str] = json.loads(line)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Set something at the campus."""
        answer = requests.put(f"{self.urls['control']}/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        """Read something from the campus."""
        answer = requests.get(f"{self.urls['control']}/{path}", timeout=10)
        answer.raise_for_status()
        return answer.json()
