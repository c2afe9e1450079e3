"""The trace: each provisioning request as it came, what was decided and why, before and after.

It answers an administrator who asks why someone is not in. What a client sends as a password is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from app.deps import Deps
from app.flows.provision_act import Act, Client
from app.kernel.errors import Unavailable
from app.store import scim_trace
from app.store.scim import Stored
from app.store.scim_trace import Traced
from scim.errors import ScimError
from scim.etag import etag
from scim.text import fold, storable, stored_form, to_json

LONGEST: Final = 16_384
"""Characters of a request, or of a resource; what is longer is cut."""

_LONGEST_SUBJECT = 255
"""What an index takes in any case."""

_HIDDEN = "(a password)"
_PASSWORD = re.compile(r"(?<![\w$-])password(?![\w$-])", re.IGNORECASE)
"""Names are compared in any case; a path goes on with a dot or a filter, and begins with a URN perhaps."""

_DEEPEST = 32
_STATUS: Final = {"POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}


@dataclass(frozen=True, slots=True)
class Watch:
    """One request, until it is known what becomes of it. `key` is the resource's id, once there is one."""

    deps: Deps
    client: Client
    method: str
    key: str | None
    body: Any

    def done(self, act: Act, before: Stored | None, after: Stored | None) -> None:
        """Take down what was done, in the transaction in which it was."""
        if self.off:
            return
        row = self.row(before, after)
        scim_trace.add(act.tx, [row])
        if before is not None and (after is None or after.kept != before.kept):
            name = _called(before)
            if name and (after is None or _called(after) != name):
                scim_trace.was_called(act.tx, name, row)

    def refusals(self, why: ScimError) -> list[Traced]:
        """That nothing was done, as it is taken down: under each name by which it can be found."""
        subjects = [] if self.off else [self.key] if self.key else named(self.body)
        told = self._traced("", why.status, _cut(stored_form(why.message)), None, None)
        return [replace(told, subject=one[:_LONGEST_SUBJECT]) for one in subjects if storable(one)]

    @property
    def off(self) -> bool:
        """Whether nothing is taken down."""
        return self.client.dry or self.deps.settings.trace_days == 0

    def row(self, before: Stored | None, after: Stored | None) -> Traced:
        """What was done, as it is taken down."""
        stored = after or before
        assert stored is not None  # noqa: S101 - one of them always is
        texts = _text(before), _text(after)
        if before and after and before.kept == after.kept and before.version != after.version:
            texts = (
                _with_version(before),
                _with_version(after),
            )  # its members changed, or externalId
        return self._traced(stored.id, _STATUS[self.method], None, *texts)

    def _traced(
        self, subject: str, status: int, refusal: str | None, before: str | None, after: str | None
    ) -> Traced:
        return Traced(
            subject, self.deps.ids.new(), self.deps.clock(), self.client.name, self.method, status,
            refusal, sent(self.body), before, after,
        )  # fmt: skip


@contextmanager
def watched(deps: Deps, client: Client, method: str, key: str | None, body: Any) -> Iterator[Watch]:
    """Watch over one request; what it is refused with goes on to the client."""
    watch = Watch(deps, client, method, key, body)
    try:
        yield watch
    except ScimError as why:
        refused(deps, client, [(watch, why)])
        raise


def refused(deps: Deps, client: Client, every: Iterable[tuple[Watch, ScimError]]) -> None:
    """Take down that nothing was done. What can't be noted now must not change the answer."""
    rows = [row for watch, why in every for row in watch.refusals(why)]
    if rows:
        with suppress(Unavailable), deps.db.tx(client.tenant) as tx:
            scim_trace.add(tx, rows)


def made(act: Act, client: Client, arrived: Iterable[tuple[Any, Stored]]) -> None:
    """Take down several that were made together: each as it was sent, and as it is."""
    watches = ((Watch(act.deps, client, "POST", None, body), stored) for body, stored in arrived)
    rows = [watch.row(None, stored) for watch, stored in watches if not watch.off]
    if rows:
        scim_trace.add(act.tx, rows)


def sent(body: Any) -> str | None:
    """The JSON of a request as it is kept: without passwords, and not longer than LONGEST."""
    if body is None:
        return None
    text = to_json(_hidden(body, 0))
    return _cut(stored_form(text))


def named(body: Any) -> list[str]:
    """Under what a request that made nothing can be found: its userName, folded.

    Where it has none: its displayName, its externalId and an e-mail address, as far as it has them.
    """
    if not isinstance(body, Mapping):
        return []
    said = {_key(name): value for name, value in body.items()}
    emails = said.get("emails")
    address = _value(next(iter(emails), None) if isinstance(emails, list) else emails)
    others = [said.get("displayname"), said.get("externalid"), address]
    every = [said.get("username")] if said.get("username") else others
    return list(dict.fromkeys(by_name(one) for one in every if one and isinstance(one, str)))


def by_name(name: str) -> str:
    """The subject of refused requests about someone of this name."""
    return f"name:{fold(name)}"[:_LONGEST_SUBJECT]


def _hidden(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, list):
        return [_hidden(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    if any(_key(name) == "path" and _speaks_of_it(str(path)) for name, path in value.items()):
        return {name: _hidden_beside(name, said) for name, said in value.items()}
    return {
        name: _HIDDEN if _speaks_of_it(name) else _hidden(said, depth + 1)
        for name, said in value.items()
    }


def _hidden_beside(name: str, said: Any) -> Any:
    """What an operation on a password keeps: what it is, and its path up to a filter, which may hold one."""
    match _key(name):
        case "op":
            return said if isinstance(said, str) else _HIDDEN
        case "path":
            return _without_filter(str(said))
        case _:
            return _HIDDEN


def _without_filter(text: str) -> str:
    return text.partition("[")[0]


def _key(name: str) -> str:
    return name.strip().lower()


def _speaks_of_it(name: str) -> bool:
    return _PASSWORD.search(name) is not None


def _value(item: Any) -> Any:
    """The value of one of several, or where it is said alone."""
    return (
        {_key(name): said for name, said in item.items()}.get("value")
        if isinstance(item, Mapping)
        else item
    )


def _text(stored: Stored | None) -> str | None:
    return None if stored is None else _cut(stored.kept)


def _with_version(stored: Stored) -> str:
    version = to_json({"version": etag(stored.version)})
    return _cut(f'{stored.kept[:-1]},"meta":{version}}}')


def _called(stored: Stored) -> str | None:
    return stored.body.get("userName") or stored.body.get("displayName")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
