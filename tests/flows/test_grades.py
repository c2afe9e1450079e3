"""Grades on their way to the gradebook: what is sent, in which order, and what becomes of each answer."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Thread
from urllib.parse import parse_qs

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from app.factory import create_app
from app.flows import deliver, grades, platforms, roster, tenancy
from app.http import Response
from app.kernel import credential
from app.store import access_tokens, activities, launches, outbox
from app.store.deliveries import page as deliveries_page
from app.worker import Worker
from keys import jwt
from lti import ags
from lti.registration import Registration
from tests.flows.conftest import hidden, local
from tests.lti_platform import ABSENT, INSTRUCTOR, ISSUER, LINE_ITEM, Lms, Neighbours, with_http
from tests.lti_platform import json_answer as answer

SCORES = f"{ISSUER}/items/1/lineitem/scores"


def with_activity(deps):
    made = tenancy.found(deps, "acme", "Acme")
    with deps.db.tx(made.id) as tx:
        activities.add(tx, deps.ids.new(), "pricing", "Pricing", deps.clock())
    return made


def deliveries(deps, tenant):
    """Kind, status and fact of all deliveries, oldest first."""
    with deps.db.read(tenant.id) as read:
        return list(reversed(outbox.listed(read)))


def standing(deps, public_id):
    tenant, launch_id = credential.unscoped(public_id)
    with deps.db.read(tenant) as read:
        return launches.standing(read, launch_id, None, deps.clock())


def grade(deps, launch, score, *, completed=False):
    now = deps.clock()
    with deps.db.tx(launch.tenant.id) as tx:
        return grades.enqueue(
            deps, tx, launch=launch, score=score, completed=completed,
            submitted_at=now if completed else None, now=now,
        )  # fmt: skip


class WithPlatform:
    """The platform is in memory, so that it can answer whatever a test wants."""

    @pytest.fixture
    def http(self):
        return Neighbours()

    @pytest.fixture
    def deps(self, deps, http):
        return with_http(deps, http)

    @pytest.fixture
    def tenant(self, deps):
        return with_activity(deps)

    @pytest.fixture
    def lms(self, deps, tenant, http):
        http.answers[SCORES] = Response(200, {}, b"")
        return Lms(deps, http).register("acme")

    @pytest.fixture
    def enter(self, lms, gateway, deps):
        def go(**claims):
            done = lms.launch(gateway(), **claims)
            assert done.status_code == 303, done.text
            return standing(deps, done.location.rpartition("/")[2])

        return go


class TestWhatIsSent(WithPlatform):
    def test_a_score_arrives_as_the_standard_writes_it(self, enter, deps, http):
        assert grade(deps, enter(), 0.8234567, completed=True)
        Worker(deps).run_until_idle()
        (call,) = [one for one in http.calls if one.url.startswith(SCORES)]
        assert call.url == f"{SCORES}?type=1"
        assert call.headers["Content-Type"] == "application/vnd.ims.lis.v1.score+json"
        assert call.headers["Authorization"] == "Bearer token-1"
        assert json.loads(call.body) == {
            "userId": "user-1", "scoreGiven": 82.35, "scoreMaximum": 100.0,
            "activityProgress": "Completed", "gradingProgress": "FullyGraded",
            "timestamp": "2026-03-02T09:00:00.000Z",
            "submission": {"submittedAt": "2026-03-02T09:00:00.000Z"},
        }  # fmt: skip

    def test_a_score_under_way_is_a_full_grade_too(self, enter, deps, http):
        """Moodle erases a grade that is not FullyGraded."""
        grade(deps, enter(), 0.5)
        Worker(deps).run_until_idle()
        body = json.loads(http.calls[-1].body)
        assert (body["activityProgress"], body["gradingProgress"]) == ("InProgress", "FullyGraded")
        assert "submission" not in body

    def test_nothing_is_sent_for_whom_no_gradebook_holds(self, enter, deps, tenant, subtests):
        preview = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
        endpoint = {"scope": [ags.SCOPE_SCORE], "lineitem": LINE_ITEM}
        learner = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
        for name, claims in {
            "a teacher": {"ROLES": [INSTRUCTOR]},
            "nobody's role": {"ROLES": []},
            "a preview": {"ROLES": [learner, preview]},
            "no line item": {"AGS_ENDPOINT": {"scope": [ags.SCOPE_SCORE]}},
            "no AGS": {"AGS_ENDPOINT": ABSENT},
            "no right": {"AGS_ENDPOINT": {**endpoint, "scope": [ags.SCOPE_LINEITEM_READONLY]}},
        }.items():
            with subtests.test(name):
                assert not grade(deps, enter(sub=name, **claims), 0.5)
        assert deliveries(deps, tenant) == []

    def test_timestamps_grow_by_whole_seconds_however_fast_scores_come(self, enter, deps, tenant):
        launch = enter()
        for score in (0.1, 0.2, 0.3):
            grade(deps, launch, score)
        rows = deliveries(deps, tenant)
        assert [row["status"] for row in rows] == ["superseded", "superseded", "waiting"]
        (claimed,) = deliver.turn(deps, [], 9)
        at = datetime.fromisoformat(claimed.fact.payload["timestamp"])
        assert at == deps.clock() + timedelta(seconds=2)
        assert claimed.fact.payload["score"] == 0.3

    def test_only_the_newest_waiting_score_is_sent(self, enter, deps, http, clock):
        launch = enter()
        for score in (0.1, 0.2, 0.3):
            grade(deps, launch, score)
            clock.move(seconds=1)
        Worker(deps).run_until_idle()
        assert [json.loads(one.body)["scoreGiven"] for one in http.calls if one.url.startswith(SCORES)] == [30.0]  # fmt: skip

    def test_people_do_not_supersede_each_other(self, enter, deps, http):
        for sub in ("a", "b"):
            grade(deps, enter(sub=sub), 0.5)
        Worker(deps).run_until_idle()
        sent = [json.loads(one.body)["userId"] for one in http.calls if one.url.startswith(SCORES)]
        assert sorted(sent) == ["a", "b"]


class TestAnswers(WithPlatform):
    @pytest.fixture
    def sent(self, enter, deps, http, tenant):
        """Send one score to a platform that answers so; gives the delivery's row."""

        def go(*answers):
            pending = list(answers)
            http.answers[SCORES] = lambda _: pending.pop(0) if pending else Response(200, {}, b"")
            grade(deps, enter(), 0.5)
            Worker(deps).run_until_idle()
            return deliveries(deps, tenant)[-1]

        return go

    @pytest.mark.parametrize(
        ("status", "became"),
        [(200, "delivered"), (201, "delivered"), (204, "delivered"), (409, "superseded"),
         (400, "dead"), (404, "waiting"), (410, "dead"), (422, "dead"), (403, "dead"), (500, "waiting"), (502, "waiting")],
    )  # fmt: skip
    def test_each_status_has_its_meaning(self, sent, status, became):
        row = sent(Response(status, {}, b""))
        assert row["status"] == became
        if became == "dead":
            assert row["last_error"]

    def test_a_404_is_final_only_where_the_platform_itself_says_it(self, sent):
        assert (
            sent(Response(404, {}, b'{"errors": [{"message": "no such line item"}]}'))["status"]
            == "dead"
        )
        row = sent(Response(404, {"Content-Type": "text/plain"}, b"404 page not found"))
        assert row["status"] == "waiting"
        assert "proxy" in row["last_error"]

    def test_a_web_page_where_an_answer_should_be_means_later(self, sent):
        page = Response(200, {}, b"<!doctype html><title>Maintenance</title>")
        assert sent(page)["status"] == "waiting"

    def test_429_waits_as_long_as_the_platform_asks(self, sent, clock, deps, tenant):
        row = sent(Response(429, {"Retry-After": "120"}, b""))
        assert row["status"] == "waiting"
        assert row["next_at"] - clock() >= timedelta(seconds=120)
        Worker(deps).run_until_idle()
        assert deliveries(deps, tenant)[-1]["status"] == "waiting"
        clock.move(seconds=121)
        Worker(deps).run_until_idle()
        assert deliveries(deps, tenant)[-1]["status"] == "delivered"

    @pytest.mark.parametrize(
        ("answered", "seconds"),
        [(Response(403, {"X-Rate-Limit-Remaining": "0"}, b""), 1), (Response(429, {}, b""), 1),
         (Response(429, {"Retry-After": "Mon, 02 Mar 2026 09:05:00 GMT"}, b""), 300),
         (Response(503, {"Retry-After": "7"}, b"<html>"), 7),
         (Response(503, {"Retry-After": "999999999"}, b""), 86_400)],
    )  # fmt: skip
    def test_a_throttle_is_no_try(self, sent, clock, answered, seconds):
        row = sent(answered)
        assert (row["status"], row["attempts"]) == ("waiting", 0)
        wait = (row["next_at"] - clock()).total_seconds()
        assert seconds * 0.8 <= wait <= seconds * 1.2

    def test_a_throttled_token_endpoint_is_a_throttle_too(self, sent, http, clock):
        http.answers[f"{ISSUER}/token"] = Response(429, {"Retry-After": "40"}, b"")
        row = sent()
        assert (row["status"], row["attempts"]) == ("waiting", 0)
        assert row["next_at"] == clock() + timedelta(seconds=40)

    def test_a_refused_token_is_fetched_anew_once(self, sent, http):
        tokens = iter(("stale", "fresh"))
        http.answers[f"{ISSUER}/token"] = lambda _: answer(
            {"access_token": next(tokens), "token_type": "bearer", "expires_in": 3600}
        )
        assert sent(Response(401, {}, b""))["status"] == "delivered"
        used = [one.headers["Authorization"] for one in http.calls if one.url.startswith(SCORES)]
        assert used == ["Bearer stale", "Bearer fresh"]

    def test_a_token_refused_twice_waits(self, sent):
        assert sent(Response(401, {}, b""), Response(401, {}, b""))["status"] == "waiting"

    @pytest.mark.parametrize(
        "said",
        [answer({"error": "invalid_client"}, 400), answer({"error": "invalid_scope"}, 400),
         Response(500, {}, b""), Response(404, {}, b"<html>blocked</html>"), answer({"nothing": 1}),
         answer({"access_token": "t", "token_type": "bearer", "scope": "other"})],
    )  # fmt: skip
    def test_without_a_token_the_score_waits_for_who_mends_it(self, sent, http, said):
        http.answers[f"{ISSUER}/token"] = said
        row = sent()
        assert row["status"] == "waiting"
        assert row["last_error"]
        assert not [one for one in http.calls if one.url.startswith(SCORES)]

    def test_what_is_for_a_platform_that_is_switched_off_waits_until_it_is_on(
        self, deps, lms, enter, tenant, http
    ):
        launch = enter()
        platforms.enable(deps, lms.id, enabled=False)
        grade(deps, launch, 0.5)
        before = len(http.calls)
        Worker(deps).run_until_idle()
        with deps.db.read(tenant.id) as read:
            (row,) = deliveries_page(read, deps.clock(), 9)
        assert (row["status"], row["attempts"]) == ("waiting", 0)
        assert row["why"] == "The platform is switched off."
        assert len(http.calls) == before
        platforms.enable(deps, lms.id, enabled=True)
        Worker(deps).run_until_idle()
        assert deliveries(deps, tenant)[-1]["status"] == "delivered"

    def test_one_switched_off_while_a_score_is_under_way_to_it_is_no_try(
        self, deps, lms, enter, tenant
    ):
        grade(deps, enter(), 0.5)
        (claimed,) = deliver.turn(deps, [], 1)
        platforms.enable(deps, lms.id, enabled=False)
        assert deliver.turn(deps, [deliver.send(deps, claimed)], 9) == []
        row = deliveries(deps, tenant)[-1]
        assert (row["status"], row["attempts"]) == ("waiting", 0)

    def test_a_platform_that_is_gone_takes_nothing_any_more(self, deps, lms, enter, tenant):
        from sqlalchemy import delete

        from app.store.tables.lti import registration

        grade(deps, enter(), 0.5)
        with deps.db.system(write=True) as system:
            system.conn.execute(delete(registration).where(registration.c.id == lms.id))
        Worker(deps).run_until_idle()
        row = deliveries(deps, tenant)[-1]
        assert (row["status"], row["last_error"]) == ("dead", "The platform is gone.")

    def test_a_failing_score_gives_way_to_a_newer_one(self, enter, deps, http, tenant, clock):
        launch = enter()

        def fail_as_a_newer_comes(_):
            grade(deps, launch, 0.9)
            http.answers[SCORES] = Response(200, {}, b"")
            return Response(500, {}, b"")

        http.answers[SCORES] = fail_as_a_newer_comes
        grade(deps, launch, 0.5)
        Worker(deps).run_until_idle()
        clock.move(seconds=2)
        Worker(deps).run_until_idle()
        assert [row["status"] for row in deliveries(deps, tenant)] == ["superseded", "delivered"]


class TestTokens(WithPlatform):
    def test_one_token_serves_until_it_ends(self, enter, deps, http, clock):
        launch = enter()
        for minutes in (0, 10, 55):
            clock.move(minutes=minutes)
            grade(deps, launch, 0.5)
            Worker(deps).run_until_idle()
        assert len(http.to(f"{ISSUER}/token")) == 2

    def test_the_assertion_names_client_and_endpoint_and_its_id_is_fresh(self, enter, deps, http):
        launch = enter()
        http.answers[f"{ISSUER}/token"] = answer(
            {"access_token": "t", "token_type": "bearer", "expires_in": 0}
        )
        for _ in range(2):
            grade(deps, launch, 0.5)
            Worker(deps).run_until_idle()
        forms = [parse_qs(one.body.decode()) for one in http.to(f"{ISSUER}/token")]
        said = [jwt.unverified(form["client_assertion"][0]).claims for form in forms]
        assert {(one["iss"], one["sub"], one["aud"]) for one in said} == {
            ("client-1", "client-1", f"{ISSUER}/token")
        }
        assert len({one["jti"] for one in said}) == len(said) == 2
        assert {form["scope"][0] for form in forms} == {ags.SCOPE_SCORE}

    def test_many_senders_ask_for_one_token(self, enter, deps, http):
        for number in range(4):
            grade(deps, enter(sub=f"user-{number}"), 0.5)
        claimed = deliver.turn(deps, [], 8)
        assert len(claimed) == 4
        with ThreadPoolExecutor(4) as pool:
            sent = list(pool.map(lambda one: deliver.send(deps, one), claimed))
        assert {one.outcome.kind for one in sent} == {"delivered"}
        assert len(http.to(f"{ISSUER}/token")) == 1

    def test_tokens_lie_sealed_and_apart(self, enter, deps, http, tenant, lms):
        grade(deps, enter(), 0.5)
        Worker(deps).run_until_idle()
        with deps.db.read(tenant.id) as read:
            sealed = access_tokens.get(read, lms.id, ags.SCOPE_SCORE, deps.clock())
            assert access_tokens.get(read, lms.id, ags.SCOPE_LINEITEM, deps.clock()) is None
            assert access_tokens.get(read, "another", ags.SCOPE_SCORE, deps.clock()) is None
        assert sealed
        assert "token-1" not in sealed


class _Quiet(WSGIRequestHandler):
    def log(self, *args):
        pass


class TestCampus:
    """The practice campus over loopback: it checks our assertion with our JWKS, and its own rules."""

    @pytest.fixture
    def tenant(self, deps):
        return with_activity(deps)

    @pytest.fixture
    def registered(self, deps, tenant, campus):
        """The gateway listens, so that the campus can fetch its keys."""
        server = make_server(
            "127.0.0.1", 0, create_app(deps), threaded=True, request_handler=_Quiet
        )
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        at = f"{campus.url}/lms"
        made = Registration(deps.ids.new(), at, "tool-1", f"{at}/auth", f"{at}/token", f"{at}/jwks")
        _, ours = platforms.add(deps, "acme", "Campus", made, "dep-1")
        campus.put(
            "lms/tool", login_url=ours.login_url, launch_url=ours.launch_url,
            jwks_url=f"http://127.0.0.1:{server.server_port}/lti/jwks/acme",
            client_id="tool-1", deployment_id="dep-1", token_lifetime=600,
        )  # fmt: skip
        campus.put("lms/links/pricing", title="Pricing", custom={"activity": "pricing"})
        yield made.id
        server.shutdown()
        thread.join()
        server.server_close()

    @pytest.fixture
    def enter(self, registered, campus, gateway, deps):
        def go(person="ada"):
            visitor, browser = campus.visit(), gateway()
            begun = visitor.post(
                "/control/lms/launches", json={"person": person, "link": "pricing"}
            )
            login = browser.post(local(begun.json["url"]), data=begun.json["fields"])
            page = visitor.get(local(login.location)).text
            done = browser.post("/lti/launch", data=hidden(page))
            assert done.status_code == 303, done.text
            return standing(deps, done.location.rpartition("/")[2])

        return go

    def book(self, campus):
        return {one["person"]: one for one in campus.visit().get("/control/lms/gradebook").json}

    @pytest.mark.parametrize("flavour", ["standard", "moodle"])
    def test_from_launch_to_gradebook(self, enter, deps, campus, clock, flavour, tenant):
        campus.put("lms/manners", flavour=flavour)
        launch = enter()
        assert launch.person.label == "Ada Miller"
        for score in (0.25, 0.5, 0.875):
            grade(deps, launch, score, completed=score > 0.8)
            Worker(deps).run_until_idle()
        cell = self.book(campus)["ada"]
        assert cell["result"]["resultScore"] == 87.5
        assert [one["scoreGiven"] for one in cell["history"]] == [25.0, 50.0, 87.5]
        assert {row["status"] for row in deliveries(deps, tenant)} == {"delivered"}

    def test_a_stale_score_is_superseded(self, enter, deps, campus, clock, tenant):
        launch = enter()
        grade(deps, launch, 0.5)
        (claimed,) = deliver.turn(deps, [], 1)
        assert grades.send(deps, claimed).kind == "delivered"
        again = grades.send(deps, claimed)
        assert (again.kind, again.status) == ("superseded", 409)
        assert len(self.book(campus)["ada"]["history"]) == 1

    def test_an_answer_that_was_lost_does_no_harm(self, enter, deps, campus, clock, tenant):
        campus.put("faults/lms", lose_next=1, only="/lms/api/")
        grade(deps, enter(), 0.5)
        Worker(deps).run_until_idle()
        clock.move(seconds=10)
        Worker(deps).run_until_idle()
        assert deliveries(deps, tenant)[-1]["status"] == "superseded"
        assert self.book(campus)["ada"]["result"]["resultScore"] == 50

    def test_429_and_a_fault_delay_but_lose_nothing(self, enter, deps, campus, clock, tenant):
        campus.put("faults/lms", throttle_next=1, retry_after=40, only="/lms/api/")
        grade(deps, enter(), 0.5)
        Worker(deps).run_until_idle()
        clock.move(seconds=39)
        Worker(deps).run_until_idle()
        assert self.book(campus) == {}
        clock.move(seconds=2)
        Worker(deps).run_until_idle()
        assert self.book(campus)["ada"]["result"]["resultScore"] == 50

    def test_a_token_that_ended_there_is_fetched_anew(self, enter, deps, campus, clock):
        launch = enter()
        grade(deps, launch, 0.5)
        Worker(deps).run_until_idle()
        campus.put("faults/lms", fail_next=1, status=401, only="/lms/api/")
        grade(deps, launch, 0.75)
        Worker(deps).run_until_idle()
        assert self.book(campus)["ada"]["result"]["resultScore"] == 75
        clock.move(hours=2)
        grade(deps, launch, 1.0)
        Worker(deps).run_until_idle()
        assert self.book(campus)["ada"]["result"]["resultScore"] == 100

    def test_the_platforms_keys_may_change_between_launches(self, enter, campus, clock):
        enter()
        campus.post("lms/keys", keep_old=False)
        clock.move(seconds=11)
        assert enter("ben").person.label == "Ben Carter"

    def test_members_come_page_by_page(self, enter, deps):
        found = roster.members(deps, enter("ines"))
        assert len(found) == 8
        assert len({one.user_id for one in found}) == 8
