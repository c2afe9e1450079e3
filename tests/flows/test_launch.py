"""The launch beneath its pages: whom it admits, what it writes, and what many at once do to it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import event, text

from app.flows import launch as launching
from app.flows import lti_login, platforms, tenancy
from app.kernel import credential
from app.kernel.errors import Conflict, Invalid, NotFound, Refused
from app.kernel.person import Person
from app.kernel.tenant import OPERATOR
from app.store import activities, launches, people, prepared
from app.store.sql import insert_once
from app.store.tables.lti import context, line_item, resource_link
from app.store.tables.lti import launch as launch_table
from app.store.tables.scim import external_id
from lti import login
from lti.errors import BadRegistration, LaunchRefused, UnknownDeployment
from lti.registration import Registration
from tests.lti_platform import ABSENT, INSTRUCTOR, ISSUER, LAUNCH, Lms, Neighbours, with_http

BROWSER = "ab" * 24


@pytest.fixture
def http() -> Neighbours:
    return Neighbours()


@pytest.fixture
def deps(deps, http):
    return with_http(deps, http)


def with_activity(deps, tenant):
    with deps.db.tx(tenant.id) as tx:
        activities.add(tx, deps.ids.new(), "pricing", "Pricing", deps.clock())
    return tenant


@pytest.fixture
def tenant(deps):
    return with_activity(deps, tenancy.found(deps, "acme", "Acme"))


@pytest.fixture
def lms(deps, tenant, http):
    return Lms(deps, http).register("acme")


def enter(lms, *, browser=BROWSER, **claims):
    """One whole launch, without HTTP in front."""
    deps = lms.deps
    sent = {name: [value] for name, value in lms.initiation().items()}
    asked = login.parse_login(sent, LAUNCH)
    onward = lti_login.begin(deps, asked, lti_login.platform_of(deps, asked), browser)
    back = parse_qs(urlsplit(onward).query)
    begun = lti_login.begun(deps, back["state"][0])
    verified = launching.verify(deps, begun, lms.sign(back["nonce"][0], **claims), browser)
    return launching.enter(deps, verified, browser)


def standing(deps, launched, browser=BROWSER):
    tenant, launch_id = credential.unscoped(launched.public_id)
    digest = credential.digest(browser.encode())
    with deps.db.read(tenant) as read:
        return launches.standing(read, launch_id, digest, deps.clock())


def count(deps, tenant, table):
    with deps.db.read(tenant.id) as read:
        return len(read.conn.execute(table.select()).all())


def provision(deps, tenant, **attributes):
    """A person as SCIM leaves them, with externalId E1001."""
    someone = Person(deps.ids.new(), **attributes)
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, someone, deps.clock())
        row = {
            "client": "default",
            "type": "User",
            "resource_id": someone.id,
            "external_id": "E1001",
        }
        insert_once(tx.conn, external_id, {"tenant_id": tx.tenant, **row})
    return someone


# Who is it?


def test_a_person_who_comes_again_is_the_same_and_keeps_their_name(lms, deps):
    first = enter(lms)
    again = enter(lms, name="Ada King", email=ABSENT)
    assert again.person_id == first.person_id
    found = standing(deps, again)
    assert found.person.display_name == "Ada King"
    assert found.person.email == "ada@acme.example"
    assert found.person.locale == "en"
    assert not found.person.email_verified


def test_the_same_sub_at_another_registration_is_someone_else(lms, deps, http, tenant):
    other = Lms(deps, http, client_id="client-2").register("acme")
    assert enter(other).person_id != enter(lms).person_id


def test_without_a_rule_nobody_is_joined(lms, deps, tenant):
    known = provision(deps, tenant, user_name="ada@acme.example", email="ada@acme.example")
    tenancy.vouch_for_domain(deps, "acme", "acme.example", verified=True)
    assert enter(lms).person_id != known.id


def test_sourcedid_joins_the_person_of_that_external_id(deps, tenant, http):
    lms = Lms(deps, http).register("acme", link_by="sourcedid")
    known = provision(deps, tenant, user_name="ada")
    assert enter(lms).person_id == known.id
    assert enter(lms, sub="user-2", LIS={"person_sourcedid": "e1001"}).person_id != known.id
    assert enter(lms, sub="user-3", LIS=ABSENT).person_id != known.id


def test_email_joins_only_inside_a_verified_domain(deps, tenant, http):
    lms = Lms(deps, http).register("acme", link_by="email")
    known = provision(deps, tenant, user_name="ada", email="Ada@acme.example")
    assert enter(lms, sub="before").person_id != known.id
    lms2 = Lms(deps, http, client_id="client-2").register("acme", link_by="email")
    tenancy.vouch_for_domain(deps, "acme", "acme.example", verified=True)
    assert enter(lms2, sub="x", email="ada@elsewhere.example").person_id != known.id


def test_email_inside_a_verified_domain_joins(deps, tenant, http):
    lms = Lms(deps, http).register("acme", link_by="email")
    tenancy.vouch_for_domain(deps, "acme", "acme.example", verified=True)
    known = provision(deps, tenant, user_name="ada", email="Ada@acme.example")
    assert enter(lms).person_id == known.id


def test_an_address_that_a_launch_told_joins_nobody(lms, deps, tenant, http):
    """Else who writes another's address into their profile would be joined by them."""
    tenancy.vouch_for_domain(deps, "acme", "acme.example", verified=True)
    squatter = enter(lms, sub="squatter")
    believed = Lms(deps, http, client_id="client-2").register("acme", link_by="email")
    ada = enter(believed)
    assert ada.person_id != squatter.person_id
    for _ in range(12):
        enter(lms, sub=deps.ids.new())
    known = provision(deps, tenant, user_name="ada", email="ada@acme.example")
    other = Lms(deps, http, client_id="client-3").register("acme", link_by="email")
    assert enter(other).person_id == known.id


@pytest.mark.parametrize("change", [{"active": False}, {"deleted": True}])
def test_someone_who_left_is_refused_and_never_made_anew(deps, tenant, http, change):
    lms = Lms(deps, http).register("acme", link_by="sourcedid")
    known = provision(deps, tenant, user_name="ada")
    gone = replace(known, active=False, deleted_at=deps.clock() if "deleted" in change else None)
    with deps.db.tx(tenant.id) as tx:
        people.save(tx, gone, deps.clock())
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            enter(lms)
        assert refused.value.wire_code == "person_inactive"
    assert count(deps, tenant, launch_table) == 0


def test_an_anonymous_launch_needs_a_deployment_that_allows_it(lms, deps, tenant):
    with pytest.raises(LaunchRefused):
        enter(lms, sub=ABSENT)
    platforms.approve(deps, lms.id, "dep-1", None, anonymous=True)
    nameless = {name: ABSENT for name in ("sub", "name", "given_name", "family_name", "email")}  # noqa: C420
    one, other = enter(lms, **nameless), enter(lms, **nameless)
    assert one.person_id != other.person_id
    assert standing(deps, one).user_id is None
    platforms.approve(deps, lms.id, "dep-1", None)
    with pytest.raises(LaunchRefused):
        enter(lms, **nameless)


# What it writes


def test_a_course_is_written_only_when_it_changes(lms, deps, tenant):
    enter(lms)
    for table in (context, resource_link, line_item):
        assert count(deps, tenant, table) == 1
    with statements(deps) as seen:
        enter(lms)
    changes = [one.split()[:3] for one in seen if one.split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    assert changes == [["INSERT", "INTO", "once"], ["INSERT", "INTO", "launch"]]
    assert len(seen) <= 14, seen
    enter(lms, CONTEXT={"id": "course-1", "title": "Sales 2"})
    with deps.db.read(tenant.id) as read:
        assert read.conn.execute(context.select()).one().title == "Sales 2"


class statements:  # noqa: N801 - reads as a block
    """The SQL of a block, without the transactions' own."""

    def __init__(self, deps):
        deps.db.close()  # one that is open already would not listen
        self.engines = {deps.db._reader, deps.db._writer, deps.db._system}
        self.seen = []
        self.run = prepared._Made.run

    def note(self, conn, cursor, statement, *rest):
        if not statement.startswith(("BEGIN", "SELECT set_config", "SELECT pg_")):
            self.seen.append(statement)

    def __enter__(self):
        for engine in self.engines:
            event.listen(engine, "before_cursor_execute", self.note)

        def run(made, conn, given):
            self.seen.append(made.sql)
            return self.run(made, conn, given)

        prepared._Made.run = run
        return self.seen

    def __exit__(self, *_):
        for engine in self.engines:
            event.remove(engine, "before_cursor_execute", self.note)
        prepared._Made.run = self.run


def test_a_launch_knows_its_place(lms, deps, tenant):
    found = standing(deps, enter(lms, ROLES=[INSTRUCTOR]))
    assert found.instructor
    assert not found.graded
    assert found.user_id == "user-1"
    assert found.return_url == f"{ISSUER}/course/1"
    assert found.issuer == ISSUER
    assert found.activity_id
    assert found.context_id
    assert found.line_item_id
    with deps.db.system() as system:
        newest = launches.newest(system, credential.digest(BROWSER.encode()))
    assert newest == (tenant.id, found.id)


def test_another_browsers_digest_opens_nothing(lms, deps):
    launched = enter(lms)
    assert standing(deps, launched) is not None
    assert standing(deps, launched, browser="cd" * 24) is None


# What is switched off, and what other tenants have


def test_a_launch_falls_with_anything_it_rests_on(lms, deps, tenant):
    launched = enter(lms)

    def deployment(on):
        at = deps.clock().isoformat(sep=" ") if on else None
        with deps.db.system(write=True) as system:
            system.conn.execute(text("UPDATE deployment SET approved_at = :at"), {"at": at})

    def person(on):
        with deps.db.tx(tenant.id) as tx:
            people.save(tx, replace(people.lock(tx, launched.person_id), active=on), deps.clock())

    for switch in (
        lambda on: platforms.enable(deps, lms.id, enabled=on),
        lambda on: tenancy.enable(deps, "acme", enabled=on),
        person,
        deployment,
    ):
        launched = enter(lms)
        assert standing(deps, launched) is not None
        switch(False)
        assert standing(deps, launched) is None
        switch(True)
    assert standing(deps, enter(lms)) is not None


def test_a_launch_is_not_found_in_another_tenant(lms, deps, tenant):
    other = tenancy.found(deps, "globex", "Globex")
    _, launch_id = credential.unscoped(enter(lms).public_id)
    with deps.db.read(other.id) as read:
        assert launches.standing(read, launch_id, None, deps.clock()) is None
        assert launches.platform_urls(read, launch_id) == ()


def test_the_operators_platform_leads_each_deployment_into_its_tenant(deps, tenant, http):
    globex = with_activity(deps, tenancy.found(deps, "globex", "Globex"))
    lms = Lms(deps, http).register(None)
    with pytest.raises(UnknownDeployment):
        enter(lms)
    platforms.approve(deps, lms.id, "dep-1", "acme")
    platforms.approve(deps, lms.id, "dep-2", "globex")
    here, there = enter(lms), enter(lms, DEPLOYMENT_ID="dep-2")
    assert (here.tenant, there.tenant) == (tenant.id, globex.id)
    assert here.person_id != there.person_id
    assert standing(deps, here) is not None
    platforms.enable(deps, lms.id, enabled=False)
    assert standing(deps, here) is None
    assert standing(deps, there) is None
    with pytest.raises(Conflict):
        platforms.approve(deps, lms.id, "dep-1", "globex")


def test_a_tenant_sees_only_the_operators_platforms_that_it_uses(deps, tenant, http):
    if deps.db.is_sqlite:
        return
    globex = tenancy.found(deps, "globex", "Globex")
    lms = Lms(deps, http).register(None)
    platforms.approve(deps, lms.id, "dep-1", "acme")
    names = text("SELECT id FROM registration")
    with deps.db.read(tenant.id) as read:
        assert read.conn.execute(names).scalars().all() == [lms.id]
    with deps.db.read(globex.id) as read:
        assert read.conn.execute(names).scalars().all() == []
    with deps.db.tx(tenant.id) as tx:
        assert tx.conn.execute(text("UPDATE registration SET enabled = false")).rowcount == 0
        assert tx.conn.execute(text("DELETE FROM registration")).rowcount == 0


def test_a_tenants_platform_leads_into_no_other(deps, lms):
    tenancy.found(deps, "globex", "Globex")
    with pytest.raises(Conflict):
        platforms.approve(deps, lms.id, "dep-9", "globex")
    with pytest.raises(NotFound):
        platforms.approve(deps, deps.ids.new(), "dep-9", "acme")


def test_registrations_that_make_no_sense_are_refused(deps, tenant, lms, http):
    def add(slug="acme", deployment="d", **changes):
        good = {
            "issuer": "https://x.example", "client_id": "c", "auth_login_url": "https://x.example/a",
            "auth_token_url": "https://x.example/t", "jwks_url": "https://x.example/j",
        }  # fmt: skip
        made = Registration(deps.ids.new(), **good | changes)
        return platforms.add(deps, slug, "X", made, deployment)

    with pytest.raises(Conflict):
        add(issuer=ISSUER, client_id="client-1")
    with pytest.raises(BadRegistration):
        add(jwks_url="javascript:alert(1)")
    with pytest.raises(NotFound):
        add(slug="nobody")
    with pytest.raises(Invalid):
        add(deployment="x" * 256)
    with pytest.raises(Invalid):
        platforms.approve(deps, add(slug=None, deployment=None)[0], "d", None)
    _, ours = add(slug=None, client_id="c2")
    assert ours.jwks_url.endswith(f"/lti/jwks/{OPERATOR}")


# Many at once


def at_once(deps, jobs) -> Iterator:
    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(lambda job: job(), jobs)


def test_a_whole_class_comes_at_once_and_the_keys_are_fetched_once(lms, deps, tenant, http):
    def job(number):
        return lambda: enter(lms, browser=f"{number:048x}", sub=f"user-{number}")

    came = list(at_once(deps, [job(number) for number in range(24)]))
    assert len({one.person_id for one in came}) == 24
    assert len(http.to(f"{ISSUER}/jwks")) == 1
    for table in (context, resource_link, line_item):
        assert count(deps, tenant, table) == 1
    assert count(deps, tenant, launch_table) == 24


def test_one_person_in_many_windows_is_one_person(lms, deps, tenant):
    came = list(at_once(deps, [lambda: enter(lms) for _ in range(12)]))
    assert len({one.person_id for one in came}) == 1
    assert len({one.public_id for one in came}) == 12


def test_one_state_used_by_many_at_once_opens_one_session(lms, deps, tenant):
    sent = {name: [value] for name, value in lms.initiation().items()}
    asked = login.parse_login(sent, LAUNCH)
    onward = lti_login.begin(deps, asked, lti_login.platform_of(deps, asked), BROWSER)
    back = parse_qs(urlsplit(onward).query)
    begun = lti_login.begun(deps, back["state"][0])

    def job(number):
        token = lms.sign(back["nonce"][0], sub=f"user-{number}")
        verified = launching.verify(deps, begun, token, BROWSER)

        def go():
            try:
                return launching.enter(deps, verified, BROWSER)
            except LaunchRefused as error:
                return error.code

        return go

    came = list(at_once(deps, [job(number) for number in range(8)]))
    assert came.count("replayed") == 7
    assert count(deps, tenant, launch_table) == 1
