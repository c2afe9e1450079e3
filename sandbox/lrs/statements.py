"""Keeping statements once and for ever, in order of arrival (xAPI 1.0.3 Communication §2.1)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.lrs import check
from sandbox.store import Json

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
_OURS = ("stored", "authority", "version")
_MOST = 1_000


def keep(campus: Campus, values: list[Any], version: str) -> list[str]:
    """Keep all of them or none; gives their ids. 409 when one is kept already and differs."""
    if len(values) > _MOST:
        raise Refused(413, "too_many", f"send at most {_MOST} statements at once")
    found = [check.statement(value) for value in values]
    ids = [one.get("id") or _new_id() for one in found]
    ids = [one.lower() for one in ids]
    if len(set(ids)) != len(ids):
        raise Refused(400, "invalid_statement", "two statements of the batch bear the same id")
    now = datetime.fromtimestamp(campus.clock(), UTC).isoformat(timespec="milliseconds")
    stored = now.replace("+00:00", "Z")
    with campus.store.change():
        for key, sent in zip(ids, found, strict=True):
            before = campus.store.get("statement", key)
            if before is None:
                _void(campus, sent)
                kept = {"timestamp": stored, **sent, "id": key, "stored": stored}
                kept["authority"] = _authority(campus)
                kept.setdefault("version", version)
                campus.store.put("statement", key, {"sent": sent, "kept": kept, "voided": False})
            elif not _same(before["sent"], sent):
                raise Refused(409, "conflict", f"another statement is kept under {key}")
    return ids


def one(campus: Campus, key: str, *, voided: bool) -> Json:
    """The statement of that id; a voided one only when asked for as such."""
    row = campus.store.get("statement", key.lower())
    if row is None or row["voided"] != voided:
        raise Refused(404, "not_found", "no statement is kept under that id")
    kept: Json = row["kept"]
    return kept


def listed(campus: Campus, asked: Mapping[str, str]) -> list[Json]:
    """Statements that are not voided, newest first or `ascending`, narrowed by the filters."""
    rows = [row["kept"] for row in campus.store.all("statement") if not row["voided"]]
    wanted = [row for row in rows if _fits(row, asked)]
    return wanted if asked.get("ascending") == "true" else wanted[::-1]


def _fits(row: Json, asked: Mapping[str, str]) -> bool:
    checks: dict[str, Callable[[str], bool]] = {
        "verb": lambda held: row["verb"]["id"] == held,
        "activity": lambda held: row["object"].get("id") == held,
        "registration": lambda held: row.get("context", {}).get("registration") == held,
        "since": lambda held: _moment(row["stored"]) > _moment(held),
        "until": lambda held: _moment(row["stored"]) <= _moment(held),
    }
    return all(test(asked[name]) for name, test in checks.items() if name in asked)


def _moment(text: str) -> datetime:
    if not check.is_time(text):
        raise Refused(400, "invalid_request", f"{text} is not an ISO 8601 time")
    return datetime.fromisoformat(text)


def _void(campus: Campus, sent: Json) -> None:
    """A voiding statement hides the one it names, unless that one is voiding too (§2.3.2)."""
    if sent["verb"]["id"] != VOIDED:
        return
    if sent["object"].get("objectType") != "StatementRef":
        raise Refused(400, "invalid_statement", "what is voided is named by a StatementRef")
    target = campus.store.get("statement", sent["object"]["id"].lower())
    if target and target["sent"]["verb"]["id"] != VOIDED:
        campus.store.put("statement", target["kept"]["id"], {**target, "voided": True})


def _same(before: Json, sent: Json) -> bool:
    """Equal but for what the LRS itself sets, and for times it set in their absence (§2.2)."""
    skipped = {*_OURS, "id"}
    if "timestamp" not in before or "timestamp" not in sent:
        skipped.add("timestamp")
    return _bare(before, skipped) == _bare(sent, skipped)


def _bare(statement: Json, skipped: set[str]) -> Json:
    return {name: held for name, held in statement.items() if name not in skipped}


def _authority(campus: Campus) -> Json:
    credentials = campus.store.get("lrs", "credentials") or {}
    account = {"homePage": campus.issuer("lrs"), "name": credentials.get("key", "nobody")}
    return {"objectType": "Agent", "account": account}


def _new_id() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
