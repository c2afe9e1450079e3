"""The whole walk over real HTTP between separate processes: a joiner arrives, learns, and leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers import ACTIVITY, right_answer, wrong_answer
from tests.demo import Demo, eventually
from tests.visitor import Page, Visitor

ADLNET = "http://adlnet.gov/expapi/verbs/"


@pytest.fixture(params=["sqlite", "postgresql"])
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    environ = {}
    if request.param == "postgresql":
        environ = request.getfixturevalue("postgres").database().environ()
    running = Demo(tmp_path, environ)
    yield running
    assert running.stop() == 0


@pytest.fixture
def visitors() -> Iterator[list[Visitor]]:
    made = [Visitor(), Visitor()]
    yield made
    for each in made:
        each.close()


def launch(demo: Demo, visitor: Visitor, person: str) -> Page:
    begun = visitor.post(
        demo.note["campus"]["lms"].removesuffix("/lms") + "/control/lms/launches",
        json={"person": person, "link": "product-update", "target": "window"},
    ).response.json()
    send = visitor.post if begun["method"].upper() == "POST" else visitor.get
    data = {"data" if begun["method"].upper() == "POST" else "params": begun["fields"]}
    return visitor.through(send(begun["url"], **data))


def sign_in(demo: Demo, visitor: Visitor) -> Page:
    page = visitor.get(demo.note["oidc"]["login_url"])
    if page.forms and "password" in page.forms[0].texts:
        learner = demo.note["learner"]
        field = next(name for name in page.forms[0].texts if name != "password")
        page = visitor.submit(
            page.forms[0], **{field: learner["email"], "password": learner["password"]}
        )
    return visitor.through(page)


def learn_until_mastery(visitor: Visitor, page: Page) -> tuple[Page, int]:
    answers = 0
    while any("decision" in form.values for form in page.forms):
        form = page.form(field="decision")
        page = visitor.submit(form, answer=right_answer(form))
        assert page.status == 200, page.text
        answers += 1
        assert answers < 60
    return page, answers


def shown_progress(page: Page) -> list[int]:
    return [
        int(part)
        for part in page.response.text.split('<progress max="100" value="')[1:]
        for part in [part.split('"')[0]]
    ]


def test_a_joiner_arrives_learns_and_leaves(demo: Demo, visitors: list[Visitor]):
    lms, sso = visitors
    base = demo.note["base_url"]

    # A joiner arrives by SCIM, in Entra's words, and is found again.
    pushed = demo.control(
        "POST", "idp/push", {"action": "create", "user": "ada", "dialect": "entra"}
    )
    assert pushed["ok"], pushed
    found = demo.scim("GET", '/Users?filter=userName eq "ada@campus.example"').json()
    assert found["totalResults"] == 1
    person = found["Resources"][0]["id"]

    # She opens the activity from the LMS: the launch means the person whom SCIM brought.
    page = launch(demo, lms, "ada")
    assert page.status == 200, page.text
    me = lms.get(f"{base}/api/v1/me").response.json()
    assert me["person"]["id"] == person
    assert (me["via"], me["tenant"]) == ("lti", demo.note["tenant"])
    assert "Why this question?" in page.text

    # One wrong answer teaches, and the rest lead to mastery.
    form = page.form(field="decision")
    page = lms.submit(form, answer=wrong_answer(form))
    page, answers = learn_until_mastery(lms, page)
    assert "Completed" in page.text
    assert set(shown_progress(page)) == {100}

    # The score stands in the gradebook.
    def cell():
        cells = demo.control("GET", "lms/gradebook")
        ada = next((c for c in cells if "ada" in str(c["person"]).lower() and c["result"]), None)
        return (
            ada if ada and ada["result"]["resultScore"] == ada["result"]["resultMaximum"] else None
        )

    grade = eventually(cell)
    times = [one["timestamp"] for one in grade["history"]]
    assert times == sorted(set(times))
    assert grade["history"][-1]["gradingProgress"] == "FullyGraded"

    # The statements are in the record store, in order, once each.
    def record():
        kept = [row["kept"] for row in demo.control("GET", "lrs/statements")]
        return kept if any(one["verb"]["id"] == ADLNET + "passed" for one in kept) else None

    kept = eventually(record)
    verbs = [one["verb"]["id"].removeprefix(ADLNET) for one in kept]
    assert verbs[:2] == ["launched", "initialized"]
    assert verbs.count("answered") == answers + 1
    assert verbs.count("completed") == verbs.count("passed") == 1
    assert [v for v in verbs if v in {"completed", "passed"}] == ["completed", "passed"]
    assert len({one["id"] for one in kept}) == len(kept)
    assert {one["actor"]["account"]["name"] for one in kept} == {person}
    stamps = [one["timestamp"] for one in kept]
    assert stamps == sorted(stamps)

    # By single sign-on it is the same person with the same progress.
    page = sign_in(demo, sso)
    assert page.url.startswith(f"{base}/learn"), page.url
    assert sso.get(f"{base}/api/v1/me").response.json()["person"]["id"] == person
    page = sso.get(f"{base}/learn/a/{ACTIVITY['slug']}")
    assert set(shown_progress(page)) == {100}

    # A leaver is cut off: the very next request of both sessions, and every new way in.
    pushed = demo.control(
        "POST", "idp/push", {"action": "deactivate", "user": "ada", "dialect": "entra"}
    )
    assert pushed["ok"], pushed
    assert pushed["exchanges"][-1]["request"]["Operations"][0]["value"] == "False"
    assert lms.get(f"{base}/api/v1/me").status == 401
    assert sso.get(f"{base}/api/v1/me").status == 401
    assert sso.get(f"{base}/learn/a/{ACTIVITY['slug']}").url.startswith(f"{base}/sso")
    assert 400 <= launch(demo, lms, "ada").status < 500
    demo.control("PUT", "people/ada", {"active": True})
    assert 400 <= sign_in(demo, sso).status < 500

    # Let back in, she comes by new doors only; what was ended stays ended.
    assert demo.control("POST", "idp/push", {"action": "reactivate", "user": "ada"})["ok"]
    assert lms.get(f"{base}/api/v1/me").status == 401
    assert launch(demo, lms, "ada").status == 200
    assert lms.get(f"{base}/api/v1/me").response.json()["person"]["id"] == person

    waiting = [row for row in demo.ostiary("outbox", "list", "--tenant", demo.note["tenant"])
               if row["status"] not in {"delivered", "superseded"}]  # fmt: skip
    assert waiting == []


def test_the_demo_goes_on_with_the_same_data_and_credentials(tmp_path: Path):
    demo = Demo(tmp_path, {}, "--no-campus", "--users", "25")
    before = demo.note
    assert demo.scim("GET", "/Users?count=1").json()["totalResults"] == 25
    demo.stop()
    demo.start()
    assert demo.note == before
    assert demo.scim("GET", "/Users?count=1").json()["totalResults"] == 25
    assert "campus" not in demo.note
    demo.stop()
