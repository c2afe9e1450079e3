"""Filters over drawn resources: what the database answers is what the evaluator in memory answers."""

from __future__ import annotations

import json
import random

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from app.flows import provision
from app.flows.provision_act import Client
from app.flows.provision_view import base_url
from app.store import scim_list
from app.store.scim_filter import condition
from app.store.scim_shape import shape_of
from scim.custom import STANDARD
from scim.errors import InvalidFilter
from scim.evaluate import matches
from scim.filters import parse_filter
from scim.represent import EVERYTHING
from scim.schemas import ENTERPRISE_URN, GROUP, USER, USER_URN

E = ENTERPRISE_URN
WORDS = ["a", "A", "b", "ab", "Ba", 'a"', "a\\", "\u00e9", "\u00c9", "%", "_", "a_b", "a%", "stra\u00dfe", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff", "x" * 199 + "y" * 3, "x" * 200, "x" * 199 + "Y"]  # fmt: skip
DATES = ["2026-03-02T09:00:00Z", "2026-03-02T10:00:00+01:00", "2026-03-02T09:00:01Z", "2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000001-00:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z"]  # fmt: skip
TEXTS = ["title", "displayName", "name.givenName", "name.familyName", "emails", "emails.value", "emails.type", "phoneNumbers.value", "addresses.country", f"{E}:department", f"{E}:manager.value", "profileUrl", "photos.value", "externalId", "id", "schemas", "groups", "groups.value", "groups.display", "groups.type", "groups.$ref", "meta.resourceType", "meta.location", "meta.version", "userName", f"{USER_URN}:nickName"]  # fmt: skip
ENTRIES = {"emails": ["value", "type", "display", "primary"], "phoneNumbers": ["value", "type"], "addresses": ["country", "type", "locality"], "name": ["givenName", "familyName"], "groups": ["value", "display", "type"], f"{E}:manager": ["value"], "schemas": ["value"], "meta": ["version", "created"]}  # fmt: skip
TEXT_OPS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]


def someone(draw: random.Random, number: int):
    def maybe(value):
        return value if draw.random() < 0.6 else None

    def word():
        return draw.choice(WORDS)

    def entries(*names):
        return [
            {name: word() for name in names if draw.random() < 0.7}
            | {"type": draw.choice(["work", "home", "Work", "other"])}
            for _ in range(draw.randrange(4))
        ]

    return {
        "userName": f"{word()} {number}", "title": maybe(word()), "displayName": maybe(word()),
        "nickName": maybe(word()), "profileUrl": maybe(word()), "externalId": maybe(word()),
        "active": draw.choice([True, False]),
        "name": {"givenName": maybe(word()), "familyName": maybe(word()), "formatted": maybe(word())},
        "emails": entries("value", "display"), "phoneNumbers": entries("value"),
        "addresses": entries("country", "locality"), "photos": entries("value"),
        E: maybe({"department": maybe(word()), "manager": maybe(word())}),
    }  # fmt: skip


@pytest.fixture
def client(deps, tenant, other_tenant, clock):
    """Two dozen drawn people and four groups, and the same again in another tenant."""
    for each in (other_tenant, tenant):
        draw, made = random.Random(7), Client(each.id, "default", types=STANDARD)
        keys = []
        for number in range(24):
            clock.move(seconds=draw.choice([0, 0, 1]))
            body = someone(draw, number)
            keys.append(json.loads(provision.create(deps, made, USER, body, EVERYTHING).text)["id"])
        for name in ("a", "Ab", "%", "Staff"):
            members = [{"value": key} for key in draw.sample(keys, draw.randrange(6))]
            body = {"displayName": name, "members": members}
            keys.append(
                json.loads(provision.create(deps, made, GROUP, body, EVERYTHING).text)["id"]
            )
        for key in keys[:6]:
            body = {"Operations": [{"op": "replace", "path": "title", "value": draw.choice(WORDS)}]}
            provision.patch(deps, made, USER, key, body, None, EVERYTHING)
        provision.delete(deps, made, USER, keys[6], None)
    return made


def every(deps, client, of):
    asked = {"count": 200}
    return json.loads(provision.search(deps, client, of, asked))["Resources"]


def asked_in_sql(deps, client, of, node):
    with deps.db.read(client.tenant) as read:
        wanted = condition(node, read, of, client.name, base_url(deps))
        found, total = scim_list.page(read, client.name, of, wanted, 0, 200)
        assert scim_list.page(read, client.name, of, wanted, 0, 0)[1] == total == len(found)
        if shape := shape_of(node):
            assert scim_list.first_page(read, client.name, of, shape, base_url(deps), 200) == found
    return [one.id for one in found]


def strings(known):
    return st.one_of(
        st.sampled_from([*WORDS, "work", "HOME", "", "direct", USER_URN, E, 'W/"2"', "User"]),
        st.sampled_from(known).flatmap(
            lambda word: st.tuples(st.integers(0, len(word)), st.integers(0, len(word))).map(
                lambda ends: word[min(ends) : max(ends)] or word
            )
        ),
        st.sampled_from(known),
    )


def comparison(path, known):
    if path.rpartition(".")[2] in {"created", "lastModified"}:
        ops, values = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]), st.sampled_from(DATES)
    elif path in {"active", "primary", "emails.primary"}:
        ops, values = st.sampled_from(["eq", "ne"]), st.booleans()
    else:
        ops, values = st.sampled_from(TEXT_OPS), strings(known)
    compared = st.tuples(ops, values).map(lambda pair: f"{path} {pair[0]} {json.dumps(pair[1])}")
    return st.one_of(compared, compared, compared, st.just(f"{path} pr"))


def combined(leaf):
    def wider(operand):
        some = st.lists(operand, min_size=1, max_size=3)
        return st.one_of(
            some.map(lambda parts: f"({' and '.join(parts)})"),
            some.map(lambda parts: f"({' or '.join(parts)})"),
            operand.map(lambda part: f"not ({part})"),
        )

    return st.recursive(leaf, wider, max_leaves=5)


def filters(paths, entries, known):
    plain = st.sampled_from(paths).flatmap(lambda path: comparison(path, known))
    brackets = st.sampled_from(sorted(entries)).flatmap(
        lambda name: combined(
            st.sampled_from(entries[name]).flatmap(lambda sub: comparison(sub, known))
        ).map(lambda inner: f"{name}[{inner}]")
    )
    whole = st.sampled_from(sorted(entries)).map(lambda name: f"{name} pr")
    return combined(st.one_of(plain, plain, brackets, brackets, whole))


DRAWN = settings(
    max_examples=250, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def check(deps, client, of, documents, text):
    try:
        node = parse_filter(text, of)
    except InvalidFilter:  # an empty word in brackets, and the like
        return 0
    expected = [one["id"] for one in documents if matches(node, one, of)]
    assert asked_in_sql(deps, client, of, node) == expected, text
    return 1


def test_users(deps, client):
    documents = every(deps, client, USER)
    assert len(documents) == 23
    known = [one["id"] for one in documents] + [one["meta"]["location"] for one in documents[:2]]
    known += [g["value"] for one in documents for g in one.get("groups", ())]

    checked = []

    @DRAWN
    @given(
        filters(
            [*TEXTS, "active", "emails.primary", "meta.created", "meta.lastModified"],
            ENTRIES,
            known,
        )
    )
    def run(text):
        checked.append(check(deps, client, USER, documents, text))

    run()
    assert sum(checked) > DRAWN.max_examples * 0.8


def test_groups(deps, client):
    documents = every(deps, client, GROUP)
    assert len(documents) == 4
    users = every(deps, client, USER)
    known = [one["id"] for one in documents + users] + [users[0]["meta"]["location"], "Staff"]
    paths = ["displayName", "members", "members.value", "members.display", "members.type", "members.$ref", "id", "meta.created"]  # fmt: skip
    entries = {"members": ["value", "display", "type"]}

    checked = []

    @DRAWN
    @given(filters(paths, entries, known))
    def run(text):
        checked.append(check(deps, client, GROUP, documents, text))

    run()
    assert sum(checked) > DRAWN.max_examples * 0.8


@pytest.mark.parametrize("text", ['meta.created co "2026"', 'meta.lastModified sw "2"'])
def test_an_instant_is_no_text(deps, client, text):
    with pytest.raises(InvalidFilter):
        provision.search(deps, client, USER, {"filter": text})


@pytest.mark.parametrize("path", ["meta.created", "meta.lastModified"])
@pytest.mark.parametrize(
    ("at", "is_later"),
    [
        ("9999-12-31T23:59:59.9999999Z", True),
        ("9999-12-31T23:59:59.999999+00:00", True),
        ("0001-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00.0000001+00:00", False),
    ],
)
def test_all_are_between_the_ends_of_time(deps, client, path, at, is_later):
    documents = every(deps, client, USER)
    for op in ("eq", "ne", "lt", "le", "gt", "ge"):
        expected = op == "ne" or ((op[0] == "l") == is_later and op != "eq")
        for text in (f'{path} {op} "{at}"', f'not ({path} {op} "{at}")'):
            assert check(deps, client, USER, documents, text)
        found = asked_in_sql(deps, client, USER, parse_filter(f'{path} {op} "{at}"', USER))
        assert len(found) == (len(documents) if expected else 0), op


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.9-01:00"])
def test_an_instant_past_the_ends_of_time_is_refused(deps, client, at):
    with pytest.raises(InvalidFilter):
        provision.search(deps, client, USER, {"filter": f'meta.created gt "{at}"'})


@pytest.fixture
def crowd(deps, tenant, database_environ):
    """A thousand and a half, and PostgreSQL has counted them."""
    made = Client(tenant.id, "default", types=STANDARD)
    bodies = (
        {"userName": f"u{n}", "displayName": f"U {n}", "externalId": f"x{n}",
         "emails": [{"type": "work", "value": f"u{n}@x.example"}]}
        for n in range(1500)
    )  # fmt: skip
    provision.create_many(deps, made.tenant, made.name, bodies)
    if not deps.db.is_sqlite:
        owner = make_url(database_environ["OSTIARY_DATABASE_OWNER_URL"])
        url = owner.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("ANALYZE")
    return made


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ('userName eq "u7"', "ix_scim_value_head"),
        ('emails[type eq "work" and value eq "u7@x.example"]', "ix_scim_value_head"),
        ('emails.value eq "u7@x.example" and active eq true', "ix_scim_value_head"),
        ('displayName sw "u 14"', "ix_scim_value_head"),
        ('externalId eq "x7"', "ix_scim_external_id"),
        ("addresses pr", "ix_scim_value_head"),
        (f'schemas eq "{E}"', "ix_scim_value_head"),
        (f'schemas eq "{E}" and not (name pr)', "ix_scim_value_head"),
    ],
)
def test_what_a_client_looks_up_by_is_found_by_index(deps, crowd, text, index):
    with deps.db.read(crowd.tenant) as read:
        wanted = condition(parse_filter(text, USER), read, USER, crowd.name, "https://x")
        plan = explained(read, wanted, "EXPLAIN QUERY PLAN " if deps.db.is_sqlite else "EXPLAIN ")
    assert index in plan, plan
    for whole in ("SCAN", "Seq Scan on scim_value", "Seq Scan on scim_external_id"):
        assert whole not in plan, plan


def explained(read, wanted, verb):
    conn = read.conn
    statement = scim_list._PAGE.where(wanted)
    compiled = statement.compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    given_ = {"tenant": read.tenant, "client": "default", "type": "User", "count": 9, "offset": 0}
    values = {**compiled.params, **given_}
    if compiled.positiontup is not None:
        rows = conn.exec_driver_sql(
            verb + str(compiled), tuple(values[n] for n in compiled.positiontup)
        )
    else:
        rows = conn.exec_driver_sql(verb + str(compiled), values)
    return "\n".join(str(row[-1]) for row in rows)
