"""From rounds to figures: medians, ratios of adjacent rounds, a plain table, JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.rounds import Case, Round, Subject

_COLUMNS = "{:<17} {:>10} {:>11} {:>11}   {:>14} {:>13}"


def machine(home: Path) -> dict[str, Any]:
    """Say what the figures depend on: cores, Python, system, and the file system that commits go to."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "filesystem": _filesystem(home),
    }


def figures(case: Case, clients: int, rounds: dict[Subject, list[Round]]) -> dict[str, Any]:
    """Return medians for each subject, and the gateway's ratios to each of the others."""
    gateway = next(rounds[subject] for subject in case.subjects if subject.role == "gateway")
    return {
        "case": case.name,
        "unit": case.unit,
        "clients": clients,
        "subjects": [
            {
                "name": subject.name,
                "role": subject.role,
                "rate": _middle(rounds[subject], lambda one: one.rate),
                "server_cpu_ms": _middle(rounds[subject], lambda one: one.server_cpu),
                "worker_cpu_ms": _middle(rounds[subject], lambda one: one.worker_cpu),
                "client_cpu_ms": _middle(rounds[subject], lambda one: one.client_cpu),
                "operations": sum(one.operations for one in rounds[subject]),
                "rounds": [
                    {"rate": one.rate, "server_cpu_ms": one.server_cpu} for one in rounds[subject]
                ],
                "gateway_rate_ratio": _ratio(gateway, rounds[subject], lambda one: one.rate),
                "gateway_cpu_ratio": _ratio(gateway, rounds[subject], lambda one: one.server_cpu),
            }
            for subject in case.subjects
        ],
    }


def table(found: dict[str, Any]) -> str:
    """Return one case as lines of text."""
    clients = "one client" if found["clients"] == 1 else f"{found['clients']} clients"
    one = found["unit"].removesuffix("es" if found["unit"] == "launches" else "s")
    lines = [
        f"{found['case']}, {clients}",
        _COLUMNS.format(
            "", f"{found['unit']}/s", "server CPU", "client CPU", "gateway's rate", "gateway's CPU"
        ),
        _COLUMNS.format("", "", f"ms/{one}", f"ms/{one}", "to this", "to this"),
    ]
    for row in found["subjects"]:
        ratios = (
            ["", ""]
            if row["role"] == "gateway"
            else [f"{row['gateway_rate_ratio']:.2f} x", f"{row['gateway_cpu_ratio']:.2f} x"]
        )
        cpu = [f"{row[name]:.2f}" for name in ("server_cpu_ms", "client_cpu_ms")]
        lines.append(_COLUMNS.format(row["name"], f"{row['rate']:.0f}", *cpu, *ratios))
    worker = found["subjects"][0]["worker_cpu_ms"]
    lines.append(f"the gateway's delivery worker beside it: {worker:.2f} CPU ms/{one}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def memory(before: dict[str, float], after: dict[str, float]) -> str:
    """Return what each server's largest web process held at first and at the end, as lines of text."""
    rows = [f"{name:<17} {before[name]:>10.1f} {after[name]:>11.1f}" for name in before]
    title = f"{'':<17} {'at first':>10} {'at the end':>11}"
    return "\n".join(["memory of a web process, MiB", title, *rows]) + "\n"


def _middle(rounds: list[Round], value: Callable[[Round], float]) -> float:
    return median(map(value, rounds))


def _ratio(ours: list[Round], theirs: list[Round], value: Callable[[Round], float]) -> float:
    # Round by round, for neighbours in time ran under the same conditions.
    pairs = zip(ours, theirs, strict=True)
    return median(value(our) / value(their) for our, their in pairs)


def _filesystem(home: Path) -> str:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    holding = [
        (point, kind) for _, point, kind, *_ in mounts if home.resolve().is_relative_to(point)
    ]
    return max(holding, key=lambda mount: len(mount[0]))[1]
