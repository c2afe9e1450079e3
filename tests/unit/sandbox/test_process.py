"""The campus as a process: one line on standard output, and the same campus after a restart."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).parents[3]


@contextmanager
def running(directory):
    command = [sys.executable, "-m", "sandbox", "--dir", str(directory), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def state(urls):
    control = urls["control"]
    return {
        "keys": requests.get(f"{urls['lms']}/jwks", timeout=20).json(),
        "idp": requests.get(f"{urls['idp']}/jwks", timeout=20).json(),
        "people": requests.get(f"{control}/people", timeout=20).json(),
        "statements": requests.get(f"{control}/lrs/statements", timeout=20).json(),
        "lrs": requests.get(f"{control}/lrs/credentials", timeout=20).json(),
    }


def test_a_restart_goes_on_with_the_same_keys_people_and_statements(tmp_path):
    with running(tmp_path) as urls:
        control = urls["control"]
        assert requests.get(f"{urls['url']}/healthz", timeout=20).json() == {"status": "ok"}
        body = {"given": "Zoe", "family": "Hall"}
        assert requests.put(f"{control}/people/zoe", json=body, timeout=20).status_code == 200
        lrs = requests.get(f"{control}/lrs/credentials", timeout=20).json()
        answer = requests.post(
            f"{urls['lrs']}/statements",
            json={
                "actor": {"mbox": "mailto:zoe@campus.example"},
                "verb": {"id": "http://adlnet.gov/expapi/verbs/launched"},
                "object": {"id": "http://127.0.0.1:8000/a/1"},
            },
            auth=(lrs["key"], lrs["secret"]),
            headers={"X-Experience-API-Version": "1.0.3"},
            timeout=20,
        )
        assert answer.status_code == 200
        before = state(urls)
    with running(tmp_path) as urls:
        assert state(urls) == before
    assert [one["key"] for one in before["people"]][-1] == "zoe"
    assert len(before["statements"]) == 1
