"""Changes of resources as the claims of Security Event Tokens (RFC 9967; RFC 8417; RFC 9493)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from scim.text import quoted, to_json

PATCH_OP_URN: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PREFIX: Final = "urn:ietf:params:scim:event:prov:"
_TOLD_OR_GIVEN: Final = ("create", "patch", "put")
URIS: Final = (
    *(f"{PREFIX}{verb}:{how}" for verb in _TOLD_OR_GIVEN for how in ("notice", "full")),
    *(f"{PREFIX}{verb}" for verb in ("delete", "activate", "deactivate")),
)
"""Every event that `claims` can make."""

LARGEST_DATA: Final = 32 * 1024
"""Characters of `data`; of a larger change a notice is given, as RFC 9967 §5 advises for large groups."""

_EXTERNAL_ID: Final = "externalId"
_KEPT_OUT: Final = frozenset({"schemas", "meta", _EXTERNAL_ID})


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one resource in one transaction; everything that any receiver may hear of it.

    `verb`: create, patch, put or delete · `turned`: activate, deactivate or None · `attributes`: paths that
    changed · `data`: the new representation, of a patch a PatchOp, of both without externalId; None where
    nobody wants it or it is too large · `version`: the entity tag · `external_ids`: by provisioning
    client · `renamed`: the client that changed its own externalId
    """

    verb: str
    endpoint: str
    id: str
    turned: str | None = None
    attributes: tuple[str, ...] = ()
    data: Mapping[str, Any] | None = None
    version: str | None = None
    external_ids: Mapping[str, str] | None = None
    renamed: str | None = None

    def concerns(self, client: str) -> bool:
        """Whether a receiver that knows resources by this client's externalIds sees a change."""
        whole = self.verb in {"create", "delete"}
        return whole or bool(self.attributes) or self.renamed == client

    def written(self) -> dict[str, Any]:
        """As JSON."""
        return {name: said for name, said in asdict(self).items() if said not in (None, ())}


def read(document: Mapping[str, Any]) -> Change:
    """What `Change.written` wrote."""
    return Change(**{**document, "attributes": tuple(document.get("attributes", ()))})


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says beside the event: `jti` is its own, `txn` the change's (RFC 9967 §2.2)."""

    jti: str
    txn: str
    issuer: str
    audience: str
    at: datetime


def claims(of: Change, token: Token, client: str, *, full: bool) -> dict[str, Any]:
    """The claims of the token for one receiver (RFC 9967 §2.1, §2.4); `full`: with the data, where it is there."""
    external = (of.external_ids or {}).get(client)
    subject = {"format": "scim", "uri": f"{of.endpoint}/{of.id}"}
    return {
        "iss": token.issuer,
        "aud": token.audience,
        "iat": int(token.at.timestamp()),
        "jti": token.jti,
        "txn": token.txn,
        "sub_id": subject if external is None else subject | {_EXTERNAL_ID: external},
        "events": _events(of, client, external, full=full),
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What changed between two representations: by path the new value, None where there is none any more.

    Parts of a complex attribute are named each (`name.familyName`); multi-valued ones as a whole. Left out
    is what the server says of itself, and externalId, which is each client's own.
    """
    found: dict[str, Any] = {}
    for name in sorted((before.keys() | after.keys()) - _KEPT_OUT):
        old, new = before.get(name), after.get(name)
        if name.startswith("urn:"):
            inner = differences(old or {}, new or {})
            found |= {f"{name}:{path}": value for path, value in inner.items()}
        elif isinstance(old, dict) and isinstance(new, dict):
            found |= {
                f"{name}.{sub}": new.get(sub)
                for sub in sorted(old.keys() | new.keys())
                if old.get(sub) != new.get(sub)
            }
        elif old != new:
            found[name] = new
    return found


def patch_op(
    changed: Mapping[str, Any], added: Iterable[str] = (), removed: Iterable[str] = ()
) -> dict[str, Any]:
    """The PATCH that makes these differences, and adds and removes members by id (RFC 7644 §3.5.2)."""
    operations: list[dict[str, Any]] = [
        {"op": "remove", "path": path}
        if value is None
        else {"op": "replace", "path": path, "value": value}
        for path, value in changed.items()
    ]
    operations += [
        {"op": "remove", "path": f"members[value eq {quoted(member)}]"} for member in removed
    ]
    if come := [{"value": member} for member in added]:
        operations.append({"op": "add", "path": "members", "value": come})
    return {"schemas": [PATCH_OP_URN], "Operations": operations}


def fitting(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The data, or None where it is larger than a token should be."""
    return data if len(to_json(data)) <= LARGEST_DATA else None


def _events(of: Change, client: str, external: str | None, *, full: bool) -> dict[str, Any]:
    if of.verb == "delete":
        return {f"{PREFIX}delete": {}}
    said: dict[str, Any]
    data = _as_known(of, client, external) if full and of.data is not None else {}
    # Of what is returned on request alone a PATCH has no operation.
    if data.get("Operations", data):
        how, said = "full", {"data": data}
    else:
        named = (of.renamed == client) or (of.verb == "create" and external is not None)
        how, said = "notice", {"attributes": [*of.attributes, *([_EXTERNAL_ID] if named else [])]}
    if of.version is not None:
        said["version"] = of.version
    told: dict[str, Any] = {f"{PREFIX}{of.verb}:{how}": said}
    return told | {f"{PREFIX}{of.turned}": {}} if of.turned else told


def _as_known(of: Change, client: str, external: str | None) -> dict[str, Any]:
    """The data with the externalId of this client."""
    data = dict(of.data or {})
    if of.verb != "patch":
        return data if external is None else data | {_EXTERNAL_ID: external}
    if of.renamed == client:
        data["Operations"] = [
            *data["Operations"],
            *patch_op({_EXTERNAL_ID: external})["Operations"],
        ]
    return data
