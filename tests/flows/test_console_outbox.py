"""The console's pages about deliveries and record stores: what waits, why, since when, and trying again."""

from __future__ import annotations

import html
import re

import pytest

from app.flows import event_streams, tenancy
from app.flows.event_streams import Wanted
from app.store import destinations, outbox
from tests.flows.test_console import (
    NOBODY,
    administrator,
    console,
    plain_session,
    platform,
    post,
    theirs,
    token,
)
from tests.flows.test_forward import say
from tests.flows.test_grades import WithPlatform, grade
from tests.outbox import claim, delivered, lane_of, put, record, rows

__all__ = ["administrator", "console", "platform", "theirs"]


def text(page):
    """What a reader of the page gets, without its head."""
    return html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])).split()


def shows(page, sentence):
    return sentence in " ".join(text(page))


def ids(page):
    return re.findall(r'href="/admin/outbox/([0-9a-f-]{36})"', page)


@pytest.fixture
def lms(platform):
    return f"registration:{platform}"


@pytest.fixture
def store(deps, tenant):
    return tenancy.add_record_store(deps, "acme", "https://lrs.example", "key", "hush-hush")


def give_up(deps, tenant, **put_as):
    delivery_id = put(deps, tenant, **put_as)
    record(deps, claim(deps)[0], "refused", "no such person", status=404)
    return delivery_id


def test_a_failing_destination_says_why_since_when_and_can_be_tried_now(
    console, deps, tenant, lms, clock
):
    for number in range(3):
        put(deps, tenant, key=str(number), destination=lms)
    for one in claim(deps):
        record(deps, one, "throttled", "The platform asks us to slow down.", retry_after=3600)
    page = console.get("/admin/outbox").text
    assert shows(page, "asks us to slow down since 2 Mar 2026, 09:00 3 since 2 Mar 2026, 09:00 next try 2 Mar 2026, 10:00")  # fmt: skip
    assert "Our &lt;LMS&gt;" in page
    assert claim(deps) == []
    assert post(console, "/outbox/try", destination=lms).location == "/admin/outbox"
    assert len(claim(deps)) == 1
    assert lane_of(deps, tenant, lms).failures == 1


@pytest.mark.parametrize("name", ["", "registration:unknown", "\x00", "x" * 5000])
def test_a_destination_that_is_not_there_is_a_404(console, tenant, name):
    assert post(console, "/outbox/try", destination=name).status_code == 404


def test_all_that_was_given_up_for_one_destination_goes_again(console, deps, tenant, lms):
    mine = [give_up(deps, tenant, key=str(number), destination=lms) for number in range(3)]
    other = give_up(deps, tenant, destination="registration:other")
    assert "Try all 3 given up again" in console.get("/admin/outbox").text
    assert post(console, "/outbox/replay", destination=lms).location == "/admin/outbox?done=3"
    assert {rows(deps, tenant)[one]["status"] for one in mine} == {"waiting"}
    assert rows(deps, tenant)[other]["status"] == "dead"


def test_the_chosen_ones_go_again_and_the_needless_are_told(console, deps, tenant, lms):
    old, other = (give_up(deps, tenant, key=key, destination=lms, newest_only=True) for key in "ab")
    put(deps, tenant, key="a", destination=lms, newest_only=True)
    answer = post(console, "/outbox/replay", id=[old, other])
    assert answer.location == "/admin/outbox?done=1&needless=1"
    page = console.get(answer.location).text
    assert shows(page, "1 delivery waits for another try.")
    assert shows(page, "1 is not sent: a newer one has taken its place.")


def test_deliveries_come_in_pages_and_are_narrowed(console, deps, tenant, lms):
    made = [put(deps, tenant, key=str(number), destination=lms) for number in range(60)]
    other = put(deps, tenant, destination="registration:other")
    for one in claim(deps):
        delivered(deps, one)
    path, seen = f"/admin/outbox?show=all&destination={lms}", []
    while path:
        page = console.get(path).text
        seen += ids(page)
        following = re.search(r'href="([^"]+)">Next page', page)
        path = html.unescape(following[1]) if following else None
    assert seen == made[::-1]
    assert other in ids(console.get("/admin/outbox?show=delivered").text)
    assert len(ids(console.get("/admin/outbox?show=delivered").text)) == 5
    assert len(ids(console.get("/admin/outbox?show=waiting").text)) == 50
    assert shows(console.get("/admin/outbox?show=dead").text, "There is none.")


@pytest.mark.parametrize(
    "query",
    ["show=nonsense", "before=x", "before=-1", "before=" + "9" * 40, "before=%C2%B2", "destination=%00",
     "destination=" + "x" * 900, "done=x", "needless=x"],
)  # fmt: skip
def test_a_query_that_makes_no_sense_does_no_harm(console, tenant, query):
    assert console.get(f"/admin/outbox?{query}").status_code == 200


def test_one_delivery_has_a_page_with_every_try(console, deps, tenant, lms, clock):
    one = put(deps, tenant, destination=lms)
    record(deps, claim(deps)[0], "failed", "The platform answered 500.", status=500)
    clock.move(seconds=6)
    record(deps, claim(deps)[0], "refused", "No <such> person.", status=404)
    page = console.get(f"/admin/outbox/{one}").text
    assert shows(page, "2 Mar 2026, 09:00 failed 500 5 ms The platform answered 500.")
    assert "No &lt;such&gt; person." in page
    assert "<such>" not in page
    answer = post(console, "/outbox/replay", id=one)
    assert answer.location == "/admin/outbox?done=1"
    assert shows(console.get(f"/admin/outbox/{one}").text, "State waiting Why No <such> person.")


def test_another_tenants_delivery_has_no_page(theirs, console, deps, tenant):
    one = put(deps, tenant)
    assert console.get(f"/admin/outbox/{one}").status_code == 200
    assert theirs.get(f"/admin/outbox/{one}").status_code == 404
    assert one not in theirs.get("/admin/outbox?show=all").text
    assert console.get(f"/admin/outbox/{NOBODY}").status_code == 404


def test_a_record_store_is_switched_and_set_back(console, deps, tenant, store, clock):
    say(deps, tenant, 3)
    assert "hush-hush" not in console.get("/admin/destinations").text
    assert shows(console.get("/admin/destinations").text, "behind")
    assert post(console, f"/destinations/{store}/disable").status_code == 303
    with deps.db.read(tenant.id) as read:
        assert not destinations.get(read, store)["enabled"]
    assert shows(console.get("/admin/outbox").text, "The record store is switched off.")
    assert post(console, f"/destinations/{store}/enable").status_code == 303
    with deps.db.system(write=True) as system:
        (stream,) = destinations.claim(system, clock(), "x", clock(), 1, 1)
        assert destinations.advance(system, stream, (10**9, 10**9), clock())
    answer = post(console, f"/destinations/{store}/rewind", since="2026-03-02T08:59")
    assert answer.location == "/admin/destinations?done=3"
    assert shows(console.get(answer.location).text, "3 statements are sent again.")
    for since in ("", "x", "2026-99-99T00:00"):
        assert post(console, f"/destinations/{store}/rewind", since=since).status_code == 400
    for path in ("enable", "disable", "rewind"):
        gone = post(console, f"/destinations/{NOBODY}/{path}", since="2026-03-02T08:59")
        assert gone.status_code == 404


def test_no_form_is_taken_without_its_token_or_from_others(
    console, theirs, gateway, deps, tenant, lms, store
):
    dead = give_up(deps, tenant, destination=lms)
    plain = plain_session(deps, gateway, tenant)
    good = token(console)
    forms = {
        "/outbox/replay": {"id": dead}, "/outbox/try": {"destination": lms},
        f"/destinations/{store}/disable": {}, f"/destinations/{store}/rewind": {"since": "2026-03-02T08:59"},
    }  # fmt: skip
    for path, form in forms.items():
        assert console.post(f"/admin{path}", data=form).status_code == 403
        assert console.post(f"/admin{path}", data=form | {"csrf": token(theirs)}).status_code == 403
        assert plain.post(f"/admin{path}", data=form | {"csrf": good}).status_code == 403
        assert gateway().post(f"/admin{path}", data=form | {"csrf": good}).status_code == 401
        answer = post(theirs, path, **form)
        assert answer.status_code == 404 or answer.location == "/admin/outbox?done=0"
    assert rows(deps, tenant)[dead]["status"] == "dead"
    with deps.db.read(tenant.id) as read:
        assert destinations.get(read, store)["enabled"]


class TestWhatItIsAbout(WithPlatform):
    def test_a_score_is_named_by_person_link_and_course(self, enter, deps, tenant):
        from app.store import deliveries

        launch = enter()
        grade(deps, launch, 0.825)
        with deps.db.read(tenant.id) as read:
            (row,) = deliveries.page(read, deps.clock(), 9)
        assert row["about"] == "82% in Pricing, Sales"
        assert (row["person"].id, row["person"].label) == (launch.person.id, "Ada Byron")
        assert row["name"] == "The LMS"
        assert row["why"] == deliveries.NOT_TRIED


def test_a_statement_is_named_by_what_it_says(deps, tenant, store):
    from app.store import deliveries
    from app.store.outbox import Fact

    statement = {
        "id": deps.ids.new(), "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered"}},
        "object": {"id": "http://x.example/a", "definition": {"name": {"en": "Pricing"}}},
    }  # fmt: skip
    with deps.db.tx(tenant.id) as tx:
        fact = Fact(deps.ids.new(), "statement.refused", statement["id"], {"statement": statement})
        outbox.add_dead(
            tx, deps.ids.new(), fact, deps.clock(), kind="xapi", destination=f"destination:{store}", error="no"
        )  # fmt: skip
    with deps.db.read(tenant.id) as read:
        (row,) = deliveries.page(read, deps.clock(), 9)
    assert (row["about"], row["person"], row["name"]) == (
        "answered Pricing",
        None,
        "https://lrs.example",
    )


def test_receivers_of_scim_events_are_shown_with_what_they_get(console, deps, tenant):
    polls = event_streams.add(deps, "acme", Wanted(audience="https://hr.example", full=True))
    event_streams.add(deps, "acme", Wanted(url="https://there.example/events", client="hr"))
    page = console.get("/admin/destinations").text
    for sentence in (
        "https://hr.example on Kind Receiver of SCIM events, which comes for them",
        "Gets what changed, with the data Knows people as default",
        "https://there.example/events on Kind Receiver of SCIM events, sent to it",
        "Gets what changed, without the data Knows people as hr",
    ):
        assert shows(page, sentence), text(page)
    assert "Send statements again" not in page
    assert post(console, f"/destinations/{polls.id}/disable").status_code == 303
    assert shows(console.get("/admin/destinations").text, "https://hr.example off")
