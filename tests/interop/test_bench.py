"""The benchmarks run against their real peers; how fast anything is, is not this test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCIM = (
    "create", "get", "userName eq", "externalId eq", "emails[…]", "list of 100", "PATCH active",
)  # fmt: skip
GROUPS = ("one joins, leaves", "1,000 join, leave", "get, no members", "page of members")
CASES = {
    **{f"SCIM {name}": {"ostiary 1,000", "scim2-server", "bare Flask"} for name in SCIM},
    **{f"group: {name}": {"of 10", "of 200"} for name in GROUPS},
    "LTI login + launch": {"ostiary", "PyLTI1p3, files", "PyLTI1p3, memory", "bare Flask"},
}


@pytest.mark.interop
def test_every_case_runs_on_every_subject(tmp_path: Path):
    figures = tmp_path / "figures.json"
    bounds = ["--seconds", "2", "--count", "25", "--rounds", "1", "--clients", "1", "2"]
    bounds += ["--members", "200"]
    ran = subprocess.run(
        [sys.executable, "-m", "bench", *bounds, "--json", figures],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(figures.read_text())
    assert {(one["case"], one["clients"]) for one in found["results"]} == {
        (case, clients) for case in CASES for clients in (1, 2)
    }
    for one in found["results"]:
        assert {subject["name"] for subject in one["subjects"]} == CASES[one["case"]]
        assert all(0 < subject["operations"] <= 25 for subject in one["subjects"])
        assert one["case"] in ran.stdout
    assert all(after > 0 for one in found["memory_mib"].values() for after in one["after"].values())
    (gate,) = found["gate"]
    assert [way["name"] for way in gate["ways"]] == ["with the gate", "busy_timeout only"]
    assert all(0 < way["writes"] <= 25 for way in gate["ways"])


@pytest.mark.interop
def test_an_unknown_bench_is_refused():
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "nothing"],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "there is no bench nothing" in ran.stderr
