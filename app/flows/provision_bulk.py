"""Many requests of a provisioning client in one (RFC 7644 §3.7); docs/decisions/0012 says why so.

Each operation is done as it would be alone, in a transaction of its own, so that others pass between
them; new Users one after the other go in together, a few hundred in one. What has been answered as
done is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import structlog

from app.deps import Deps
from app.flows import provision, provision_groups, provision_people, provision_trace
from app.flows.provision_act import Act, Client, acting
from app.flows.provision_trace import Watch
from app.flows.provision_view import base_url
from app.kernel.errors import UNEXPECTED, OstiaryError
from app.store import people
from app.store.db import Read
from app.store.scim import Stored
from scim import bulk, bulk_order, resource
from scim.attributes import ResourceType
from scim.bulk import BulkRequest, Operation
from scim.errors import InvalidValue, ScimError, Uniqueness, error_document
from scim.etag import etag
from scim.members import MemberChanges
from scim.represent import location

_AT_ONCE: Final = 250
_STATUS: Final = {"POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}
_NOT_TRIED: Final = (
    "Not tried, since one before it could not be done. Nothing was changed; try again."
)
_THERE: Final = Uniqueness(
    "This User is there already, with this userName and externalId. Nothing was changed; its bulkId stands for it."
)


def run(deps: Deps, client: Client, request: BulkRequest) -> list[dict[str, Any]]:
    """Do what a bulk asks; returns a BulkResponse's results, in the request's order.

    What was not tried is missing, once there were as many errors as the client admits. Raises
    Unavailable where the database is away before anything was done; later on that is a result.
    """
    job = _Job(deps, client, request.operations, request.fail_on_errors)
    steps, at = bulk_order.steps(request.operations), 0
    while at < len(steps) and not job.is_over:
        together = job.newcomers(steps[at : at + _AT_ONCE])
        if len(together) > 1:
            job.arrive(together)
        else:
            job.step(steps[at])
        at += max(1, len(together))
    provision_trace.refused(deps, client, job.untold)
    return job.answer()


@dataclass(slots=True)
class _Job:
    """`made`: ids by bulkId · `results`: by the operation's number · `away`: why no more is tried

    `untold`: what was refused before it came to be a request of its own, which would have left a trace
    """

    deps: Deps
    client: Client
    operations: Sequence[Operation]
    most_errors: int | None
    made: dict[str, str] = field(default_factory=dict)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    errors: int = 0
    away: OstiaryError | None = None
    untold: list[tuple[Watch, ScimError]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        enough = self.most_errors is not None and self.errors >= self.most_errors
        return enough or self.away is not None

    def answer(self) -> list[dict[str, Any]]:
        if self.away is not None:
            for number in range(len(self.operations)):
                if number not in self.results:
                    self._failed(number, self.away.status, _NOT_TRIED)
        return [self.results[number] for number in sorted(self.results)]

    def newcomers(self, steps: Iterable[Sequence[int]]) -> dict[int, dict[str, Any]]:
        """The Users that the first of these steps make, until one that does or refers to something else."""
        found: dict[int, dict[str, Any]] = {}
        for step in steps:
            one = self.operations[step[0]]
            if (
                one.makes is None
                or _type(self.client, one) is not self.client.types.user
                or self._unmade(step, ())
            ):
                break
            try:
                body = resource.parse(one.data_with(self.made), self.client.types.user).resource
                provision_people.check(body)
            except Exception:  # noqa: BLE001 - the step meets it again, and answers
                break
            found[step[0]] = body
        return found

    def arrive(self, bodies: Mapping[int, dict[str, Any]]) -> None:
        """Make Users: together where nobody knows them yet, else one by one."""
        try:
            with self.deps.db.read(self.client.tenant) as read:
                new = provision_people.newcomers(read, self.client.name, bodies)
        except OstiaryError as away:
            self._broke_off(list(bodies), away)
            return
        except Exception as error:  # noqa: BLE001 - each is tried alone then
            _unexpected(error)
            new = set()
        for together, numbers in groupby(bodies, new.__contains__):
            some = list(numbers)
            if together and not self.is_over and self._load({n: bodies[n] for n in some}):
                continue
            for number in some:
                if not self.is_over:
                    self.step((number,))

    def step(self, numbers: Sequence[int]) -> None:
        """Do one operation, or all of a ring or none."""
        try:
            self._step(numbers)
        except OstiaryError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not lose what was answered before
            _unexpected(error)
            for number in numbers:
                if number not in self.results:
                    self._failed(number, 500, UNEXPECTED)

    def _step(self, numbers: Sequence[int]) -> None:
        own = {self.operations[number].makes for number in numbers}
        one = self.operations[numbers[0]]
        missing = self._unmade(numbers, own)
        if one.fault is not None:
            self._untried(numbers[0], one.fault)
        elif missing is not None:
            for number in numbers:
                self._untried(number, _nothing_made(missing))
        elif own.isdisjoint(one.refers_to):
            self._alone(numbers[0], one)
        else:
            self._ring(numbers)

    def _unmade(self, numbers: Iterable[int], own: Iterable[str | None]) -> str | None:
        """A bulkId to which these refer and under which nothing is there, or None."""
        for number in numbers:
            for name in self.operations[number].refers_to:
                if name not in self.made and name not in own:
                    return name
        return None

    def _alone(self, number: int, one: Operation) -> None:
        try:
            key, version = _do(self.deps, self.client, one, self.made)
        except Uniqueness as why:
            if not self._met([number]):
                self._refused(number, why)
        except ScimError as why:
            self._refused(number, why)
        except OstiaryError as away:
            self._broke_off([number], away)
        else:
            self._done(number, key, version)

    def _ring(self, numbers: Sequence[int]) -> None:
        """Make resources that refer to each other: first without what is not there yet, then as meant."""
        ring, made, arrived = numbers[0], dict(self.made), dict[int, Stored]()
        try:
            said = (self.operations[number].data for number in numbers)
            with acting(self.deps, self.client, "POST", *said) as act:
                for ring in numbers:
                    arrived[ring] = _arrive(act, self.operations[ring], made)
                    made[self.operations[ring].makes or ""] = arrived[ring].id
                for ring in numbers:
                    arrived[ring] = _complete(act, self.operations[ring], arrived[ring], made)
                asked = (self.operations[number].data_with(made) for number in numbers)
                provision_trace.made(act, self.client, zip(asked, arrived.values(), strict=True))
        except ScimError as why:
            met = self._met(numbers) if isinstance(why, Uniqueness) else set()
            self.untold += [(self._watch(number), why) for number in sorted(met)]
            rest = [number for number in numbers if number not in met]
            if met and rest:
                self._ring(rest)
            elif not met:
                led = _nothing_made(self.operations[ring].makes or "")
                for number in numbers:
                    self._untried(number, why if number == ring else led)
        except OstiaryError as away:
            self._broke_off(numbers, away)
        else:
            for number, stored in arrived.items():
                self._done(number, stored.id, stored.version)

    def _load(self, bodies: Mapping[int, dict[str, Any]]) -> bool:
        """Make Users together; False when that can't be, since somebody else has made one of them, say."""
        keys = {number: self.deps.ids.new() for number in bodies}
        said = [self.operations[number].data for number in bodies]
        try:
            with acting(self.deps, self.client, "POST", *said) as act:
                made = provision_people.arrive_all(
                    act, {keys[n]: body for n, body in bodies.items()}
                )
                provision_trace.made(act, self.client, zip(said, made, strict=True))
                for key in keys.values():
                    act.note("person.provisioned", key)
        except ScimError:
            return False
        except OstiaryError as away:
            self._broke_off(list(bodies), away)
        except Exception as error:  # noqa: BLE001 - one of them may be at fault: each is tried alone
            _unexpected(error)
            return False
        else:
            for number, key in keys.items():
                self._done(number, key, 1)
        return True

    def _met(self, numbers: Sequence[int]) -> set[int]:
        """Refuse the Users who are there already as the very ones that these POSTs make; returns which.

        So it is when a bulk is sent again whose answer got lost. Their bulkIds stand for them from here
        on: what refers to them needs no other request to name them by.
        """
        try:
            with self.deps.db.read(self.client.tenant) as read:
                there = {number: self._sent_before(read, number) for number in numbers}
        except OstiaryError as away:
            self._broke_off(numbers, away)
            return set(numbers)
        met = {number: key for number, key in there.items() if key is not None}
        for number, key in met.items():
            self.made[self.operations[number].makes or ""] = key
            self._failed(number, _THERE.status, _THERE.message, _THERE.scim_type, key)
        return set(met)

    def _sent_before(self, read: Read, number: int) -> str | None:
        one, user = self.operations[number], self.client.types.user
        if one.makes is None or _type(self.client, one) is not user:
            return None
        try:
            body = resource.parse(one.data_with(self.made), user).resource
        except ScimError:
            return None
        return provision_people.sent_before(read, self.client.name, user, body)

    def _done(self, number: int, key: str, version: int | None) -> None:
        one = self.operations[number]
        if one.makes is not None:
            self.made[one.makes] = key
        self.results[number] = self._result(one, key, _STATUS[one.method or ""])
        if version is not None:
            self.results[number]["version"] = etag(version)

    def _refused(self, number: int, why: ScimError) -> None:
        self._failed(number, why.status, why.message, why.scim_type)

    def _untried(self, number: int, why: ScimError) -> None:
        self.untold.append((self._watch(number), why))
        self._refused(number, why)

    def _watch(self, number: int) -> Watch:
        one = self.operations[number]
        key = one.target and bulk.resolve_id(one.target, self.made)
        return Watch(self.deps, self.client, one.method or "?", key, one.data)

    def _broke_off(self, numbers: Iterable[int], away: OstiaryError) -> None:
        if not self.results:
            raise away
        self.away = away
        for number in numbers:
            self._failed(number, away.status, away.message)

    def _failed(
        self, number: int, status: int, message: str, scim_type: str | None = None, key: str | None = None,
    ) -> None:  # fmt: skip
        one = self.operations[number]
        self.errors += 1
        if one.target is not None:
            key = bulk.resolve_id(one.target, self.made)
        result = self._result(one, key, status)
        self.results[number] = result | {"response": error_document(status, message, scim_type)}

    def _result(self, one: Operation, key: str | None, status: int) -> dict[str, Any]:
        said = {"method": one.method, "bulkId": one.bulk_id}
        if one.of is not None and key is not None:
            said["location"] = location(base_url(self.deps), one.of, key)
        return {name: value for name, value in said.items() if value is not None} | {
            "status": str(status)
        }


def _do(
    deps: Deps, client: Client, one: Operation, made: Mapping[str, str]
) -> tuple[str, int | None]:
    """One operation as a request of its own; returns the resource's id, and its version if it has one."""
    data, of = one.data_with(made), _type(client, one)
    key = bulk.resolve_id(one.target or "", made)
    if one.method == "DELETE":
        provision.delete(deps, client, of, key, one.version)
        return key, None
    if one.method == "POST":
        shown = provision.create(deps, client, of, data, None)
    else:
        change = provision.replace if one.method == "PUT" else provision.patch
        shown = change(deps, client, of, key, data, one.version, None)
    return shown.id, shown.version


def _arrive(act: Act, one: Operation, made: Mapping[str, str]) -> Stored:
    said = resource.parse(one.data_with(made), _type(act, one))
    if _type(act, one) is act.types.user:
        return provision_people.arrive(act, said.resource)
    return provision_groups.arrive(act, said.resource, said.members or ())


def _complete(act: Act, one: Operation, stored: Stored, made: Mapping[str, str]) -> Stored:
    said = resource.parse(one.data_with(made), _type(act, one))
    person = people.lock(act.tx, stored.id) if _type(act, one) is act.types.user else None
    if person is not None:
        return provision_people.change(act, person, stored, said.resource)
    members = MemberChanges(add=said.members or ())
    return provision_groups.change(act, stored, said.resource, members)


def _type(who: Client | Act, one: Operation) -> ResourceType:
    assert one.of is not None  # noqa: S101 - what has no type has a fault
    return who.types.named(one.of.name)


def _unexpected(error: Exception) -> None:
    structlog.get_logger("ostiary.bulk").error("unexpected", exc_info=error)


def _nothing_made(name: str) -> InvalidValue:
    return InvalidValue(f"Nothing was made under the bulkId {name!r}, to which this leads.")
