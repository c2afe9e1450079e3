"""What must hold in the end, looked at from outside where there is an outside."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from app.deps import Deps
from app.store.tables.learning import answer, attempt, learner_state, statement
from app.store.tables.outbox import delivery_attempt
from app.store.tables.tenants import audit
from tests.faults.walker import Walk
from tests.faults.world import World

_ANSWERED = "http://adlnet.gov/expapi/verbs/answered"
_FULL_MARKS = 100.0


def violations(world: World, walks: list[Walk]) -> list[str]:
    """Everything that is not as it must be, while all still runs."""
    found = [f"{walk.key}: {text}" for walk in walks for text in walk.complaints]
    found += [f"{walk.key} did not finish" for walk in walks if not walk.finished]
    found += ["serve ended by itself"] * world.gave_up
    kept = world.control("GET", "lrs/statements")
    found += _answers(world, walks, kept)
    found += _record(world, kept)
    found += _grades(world, walks)
    found += _outbox(world)
    found += _leavers(world, walks)
    found += _log(world)
    found += _chain(world)
    return found


def _answers(world: World, walks: list[Walk], kept: list[dict[str, Any]]) -> Iterable[str]:
    """Each acknowledged answer is in the database and in the record store, once and as it was given."""
    rows = {row["decision_id"]: row for row in _rows(world, answer)}
    on_record = defaultdict(list)
    for one in kept:
        if one["kept"]["verb"]["id"] == _ANSWERED:
            item = one["kept"]["object"]["id"].rpartition("/")[2]
            on_record[one["kept"]["actor"]["account"]["name"]].append(item)
    for walk in walks:
        for decision, (item, given) in walk.ledger.items():
            row = rows.pop(decision, None)
            if row is None:
                yield f"{walk.key}: the answer to {decision} is gone"
            elif _stored(row) != (walk.person, item, sorted(given)):
                yield f"{walk.key}: gave {given} to {decision} ({item}), stored is {_stored(row)}"
        acknowledged = [item for item, _ in walk.ledger.values()]
        recorded = on_record.pop(walk.person, [])
        if recorded != acknowledged and not _one_unheard(walk, recorded, acknowledged):
            yield f"{walk.key}: answered {acknowledged}, on record {recorded}"
    unheard = {row["person_id"] for row in rows.values()}
    leavers = {walk.person for walk in walks if walk.leaves_after is not None}
    yield from (f"nobody gave the answers of {person}" for person in unheard - leavers)
    yield from (f"nobody gave the answers on record of {person}" for person in on_record)


def _one_unheard(walk: Walk, recorded: list[str], acknowledged: list[str]) -> bool:
    # Who was cut off while answering may never have heard that the answer was taken.
    return walk.leaves_after is not None and recorded[:-1] == acknowledged


def _stored(row: dict[str, Any]) -> tuple[str, str, list[str]]:
    response = row["response"]
    given = sorted(response["picked"]) if "picked" in response else [response["text"]]
    return row["person_id"], row["item_key"], given


def _record(world: World, kept: list[dict[str, Any]]) -> Iterable[str]:
    """Each stored statement has arrived, once, unchanged, and in its attempt's order."""
    stored = [json.loads(row["body"]) for row in _rows(world, statement, "txid", "seq")]
    arrived = {one["kept"]["id"]: one["sent"] for one in kept}
    if len(arrived) != len(kept):
        yield "the record store holds a statement twice"
    for one in stored:
        sent = arrived.pop(one["id"], None)
        if sent is None:
            yield f"a statement has not arrived: {one['verb']['id']} {one['id']}"
        elif sent != one:
            yield f"a statement was changed on its way: {one} became {sent}"
    yield from (f"the record store holds what we never stored: {key}" for key in arrived)
    ours, theirs = _by_registration(stored), _by_registration([one["sent"] for one in kept])
    yield from (f"the record of {each} came in another order" for each in ours if ours[each] != theirs[each])  # fmt: skip
    told = defaultdict(list)
    for row in _rows(world, answer, "attempt_id", "seq"):
        told[row["attempt_id"]].append(row["item_key"])
    for row in _rows(world, attempt):
        theirs_answered = [
            one["object"]["id"].rpartition("/")[2]
            for one in stored
            if one["verb"]["id"] == _ANSWERED and one["context"]["registration"] == row["registration"]
        ]  # fmt: skip
        if theirs_answered != told[row["id"]] or len(told[row["id"]]) != row["answers"]:
            yield f"attempt {row['id']}: answers {told[row['id']]}, statements {theirs_answered}"


def _by_registration(statements: list[dict[str, Any]]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for one in statements:
        found[one["context"]["registration"]].append(one["id"])
    return found


def _grades(world: World, walks: list[Walk]) -> Iterable[str]:
    """Each cell shows the best score, and its history only ever went on."""
    best = {row["person_id"]: row["score"] for row in _rows(world, learner_state)}
    mastered = {row["person_id"] for row in _rows(world, attempt) if row["status"] == "mastered"}
    cells = {cell["person"]: cell for cell in world.control("GET", "lms/gradebook")}
    for walk in walks:
        cell, score = cells.get(walk.key), round(best.get(walk.person, 0.0) * _FULL_MARKS, 2)
        shown = cell["result"]["resultScore"] if cell and cell["result"] else 0.0
        if shown != score or (walk.person in mastered and shown != _FULL_MARKS):
            yield f"{walk.key}: the gradebook shows {shown}, the best score is {score}"
        history = cell["history"] if cell else []
        times = [one["timestamp"] for one in history]
        if times != sorted(set(times)):
            yield f"{walk.key}: scores came twice or out of order: {times}"
        entries = [(one["scoreGiven"], one["activityProgress"]) for one in history]
        if len(set(entries)) != len(entries) or entries != sorted(entries):
            yield f"{walk.key}: a score stands twice in the history, or fell: {entries}"


def _outbox(world: World) -> Iterable[str]:
    """Nothing waits without a reason shown, and nothing is dead: the harness made nothing hopeless."""
    for row in world.ostiary("outbox", "list", "--tenant", world.tenant.slug, "--limit", "10000"):
        if row["status"] == "dead" or (row["status"] == "waiting" and not row["last_error"]):
            yield f"the outbox: {row}"
    for row in _rows(world, delivery_attempt):
        error = row["error"] or ""
        if "fault of the gateway" in error:
            yield f"a delivery failed by our own fault: {error}"


def _leavers(world: World, walks: list[Walk]) -> Iterable[str]:
    """Each cut-off stands in the audit log, and was tried."""
    for walk in walks:
        if walk.leaves_after is None:
            continue
        actions = [row["action"] for row in _rows(world, audit) if row["subject"] == walk.person]
        if actions.count("person.deactivated") != 1:
            yield f"{walk.key} was deactivated, the audit log says {actions}"
        if walk.knocks == 0:
            yield f"{walk.key} never knocked after the cut-off, so nothing was shown"


def _log(world: World) -> Iterable[str]:
    """No request ended in a 500, not even one that a neighbour made."""
    for line in world.log.read_text(errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue  # a process was killed in the middle of a line
        if said.get("status") == 500 or said.get("event") == "unexpected":
            yield f"the log: {line[:3000]}"


def _chain(world: World) -> Iterable[str]:
    """The audit log is whole."""
    for row in world.ostiary("audit", "verify"):
        yield from (f"the audit log of {row['tenant']}: {fault}" for fault in row["faults"])


def _rows(world: World, table: Any, *order: str) -> list[dict[str, Any]]:
    query = select(table).where(table.c.tenant_id == world.tenant.id)
    query = query.order_by(*(table.c[name] for name in order))

    def read(deps: Deps) -> list[dict[str, Any]]:
        with deps.db.read(world.tenant.id) as read:
            return [dict(row._mapping) for row in read.conn.execute(query)]

    return world.database(read)
