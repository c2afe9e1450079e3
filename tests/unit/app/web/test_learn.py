"""The learner's and the teacher's pages over HTTP: what they show, what they carry, what they refuse."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as drawn
from hypothesis import strategies as st

from app.factory import create_app
from app.flows import attempt, study, tenancy
from app.kernel import credential
from app.web.prose import inline, prose
from tests.learners import (
    INSTRUCTOR,
    Course,
    finish,
    item,
    off,
    person,
    publish,
    question,
    right,
    signed_in,
    wrong,
)
from tests.lti_platform import Neighbours, json_answer, members_page, with_http

BROWSER = "b" * 48
ANOTHER = "c" * 48
SITE = "http://127.0.0.1:8000"


@pytest.fixture
def http():
    return Neighbours()


@pytest.fixture
def deps(deps, http):
    return with_http(deps, http)


@pytest.fixture
def tenant(deps):
    return tenancy.found(deps, "acme", "Acme")


@pytest.fixture
def gateway(deps):
    """pytest-flask's `app` would share one `g` among all requests."""
    made = create_app(deps)
    made.testing = True
    return made


@pytest.fixture
def activity(deps, tenant):
    return publish(deps, tenant)


@pytest.fixture
def ada(deps, tenant):
    return person(deps, tenant)


@pytest.fixture
def course(deps, tenant):
    return Course(deps, tenant)


@pytest.fixture
def launch(course, ada, activity):
    return course.launch(ada, activity)


@pytest.fixture
def client(gateway):
    return browser(gateway)


def browser(gateway, secret=BROWSER, session=None):
    made = FlaskClient(gateway, gateway.response_class)
    if secret:
        made.set_cookie("ostiary_browser", secret, domain="127.0.0.1")
    if session:
        made.set_cookie("ostiary_session", cookie(session), domain="127.0.0.1")
    original = made.open

    def opened(*args, **kwargs):
        return original(*args, **({"base_url": SITE} | kwargs))

    made.open = opened
    return made


def cookie(session):
    shown = session.presented
    return credential.mint("", shown.tenant, shown.id, shown.secret)


def address(door):
    return f"/learn/{credential.scoped(door.tenant_id, door.launch_id)}"


def fields(page, action):
    """The hidden fields of the form that goes to an action."""
    form = re.search(
        rf'<form[^>]*action="{re.escape(html.escape(action))}".*?</form>', page.text, re.DOTALL
    )
    assert form, page.text
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[0])
    return {name: html.unescape(value) for name, value in found}


def words(page):
    text = re.sub(r"<(script|style).*?</\1>", "", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def submit(client, deps, door, at, answers=right, **changes):
    """Answer the question on the page as a browser does."""
    page = client.get(at)
    assert page.status_code == 200, page.text
    asked = question(deps, door)
    sent = fields(page, f"{at}/answer") | {"answer": answers(asked.item)} | changes
    return client.post(f"{at}/answer", data=sent)


# By launch


def test_a_launch_opens_the_first_question_and_may_be_framed(client, deps, launch):
    page = client.get(address(launch))
    asked = question(deps, launch)
    assert page.status_code == 200
    assert f"Question 1 Ask {asked.item.key}?" in words(page)
    assert "What it costs." in words(page)
    assert "frame-ancestors https://lms.example;" in page.headers["Content-Security-Policy"] + ";"
    assert "Back to your course" in page.text
    assert client.get(address(launch)).text.count("Question 1") == page.text.count("Question 1")
    assert study.look(deps, launch).attempt.answers == 0


def test_an_answer_is_posted_and_then_shown(client, deps, launch):
    at = address(launch)
    first = question_after(client, deps, launch)
    answer = submit(client, deps, launch, at)
    assert answer.status_code == 303
    there = urlsplit(answer.location)
    assert there.path == at
    assert there.fragment == "feedback"
    assert parse_qs(there.query) == {"answered": [first.decision_id]}
    page = client.get(answer.location)
    assert re.search(r'id="feedback"[^>]* tabindex="-1" role="status"', page.text)
    assert "Right" in words(page)
    assert "Because." in words(page)
    assert "Question 2" in words(page)
    submit(client, deps, launch, at, wrong)
    last = client.get(answer.location)
    assert "Question 3" in words(last), "an old address shows the present"


def question_after(client, deps, launch):
    assert client.get(address(launch)).status_code == 200
    return question(deps, launch)


def test_a_wrong_answer_is_told_with_what_is_right(client, deps, launch):
    asked = question_after(client, deps, launch)
    page = client.get(submit(client, deps, launch, address(launch), wrong).location)
    said = words(page)
    assert "Not right yet" in said or "Partly right" in said
    assert "What is right" in said
    assert f"choice x of {asked.item.key}" in said or "seven" in said or "12.5 euro" in said


@pytest.mark.parametrize("kind", ["single_choice", "multiple_choice", "text", "number"])
def test_each_kind_of_question_can_be_asked_and_answered(client, deps, tenant, course, ada, kind):
    items = [item(f"{s}{i}", s, kind, i / 4) for s in "ab" for i in range(4)]
    door = course.launch(ada, publish(deps, tenant, "kinds", items=items))
    page = client.get(address(door))
    if kind in ("text", "number"):
        assert '<label for="answer"' in page.text
        assert re.search(r'<input [^>]*type="text" id="answer" name="answer"', page.text)
        assert ("euro" in page.text) == (kind == "number")
    else:
        box = "radio" if kind == "single_choice" else "checkbox"
        assert page.text.count(f'<input type="{box}" name="answer"') == 4
        assert "<fieldset" in page.text
        assert "<legend" in page.text
    assert submit(client, deps, door, address(door)).status_code == 303
    assert study.look(deps, door).attempt.answers == 1


def test_it_ends_with_the_result_and_practice(client, deps, launch):
    at = address(launch)
    client.get(at)
    finish(deps, launch)
    page = client.get(at)
    assert "Completed" in words(page)
    assert "100%" in words(page)
    assert "https://lms.example/course/1" in page.text
    again = client.post(f"{at}/begin", data=fields(page, f"{at}/begin"))
    assert (again.status_code, again.location) == (303, f"{at}#now")
    page = client.get(at)
    assert "Practice" in words(page)
    assert "Question 1" in words(page)
    assert study.look(deps, launch).best == 1.0


def test_who_needs_a_break_gets_something_to_read(client, deps, launch):
    client.get(address(launch))
    finish(deps, launch, wrong)
    said = words(client.get(address(launch)))
    assert "Time for a break" in said
    assert "Read: Read a" in said


def test_why_this_question_is_told_from_what_was_stored(client, deps, launch):
    submit(client, deps, launch, address(launch), wrong)
    page = client.get(address(launch))
    why = study.look(deps, launch).why
    said = words(page)
    assert why["wording"]["learner"] in said
    assert why["contest"] in said
    assert why["id"] in said
    assert re.search(
        r"Skill B ?: it builds on a skill that you have not shown yet \( ?Skill A ?\)", said
    )


def test_progress_is_text_and_a_meter(client, launch):
    page = client.get(address(launch))
    assert '<progress max="100" value="0" aria-labelledby="skill-a">0%</progress>' in page.text
    assert "Comes later" in words(page)


# Twice, late, stale


def test_a_double_click_counts_once_and_shows_the_present_state(client, deps, launch):
    at = address(launch)
    page = client.get(at)
    asked = question(deps, launch)
    sent = fields(page, f"{at}/answer") | {"answer": right(asked.item)}
    first, second = (client.post(f"{at}/answer", data=sent) for _ in range(2))
    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert study.look(deps, launch).attempt.answers == 1
    third = client.post(f"{at}/answer", data=sent | {"answer": wrong(asked.item)})
    assert "your first answer stands" in words(client.get(third.location))
    assert study.look(deps, launch).attempt.answers == 1


def test_an_unreadable_answer_is_asked_for_again_with_what_was_written(
    client, deps, tenant, course, ada
):
    items = [item(f"{s}{i}", s, "number", i / 4) for s in "ab" for i in range(4)]
    door = course.launch(ada, publish(deps, tenant, "kinds", items=items))
    answer = submit(client, deps, door, address(door), lambda _: ['a "dozen" & one'])
    assert answer.status_code == 400
    assert "Answer with a number" in words(answer)
    assert 'value="a &#34;dozen&#34; &amp; one"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert study.look(deps, door).attempt.answers == 0


def test_a_form_without_an_answer_or_a_decision_moves_nothing(client, deps, launch):
    at = address(launch)
    assert submit(client, deps, launch, at, lambda _: []).status_code == 400
    for decision in ("", "x", "0" * 36, "01890000-0000-7000-8000-000000000000"):
        answer = submit(client, deps, launch, at, decision=decision)
        assert answer.status_code == 303
        assert client.get(answer.location).status_code == 200
    assert study.look(deps, launch).attempt.answers == 0


def test_a_forged_time_is_no_time(client, deps, clock, tenant, ada, activity, launch):
    at = address(launch)
    page = client.get(at)
    clock.move(seconds=30)
    sent = fields(page, f"{at}/answer") | {"answer": right(question(deps, launch).item)}
    shown = sent["shown"]
    client.post(f"{at}/answer", data=sent | {"shown": "1" + shown})
    assert study.look(deps, launch).attempt.active_ms == 0
    client.get(at)
    clock.move(seconds=5)
    submit(client, deps, launch, at, shown=shown)
    assert study.look(deps, launch).attempt.active_ms == 0, "it was another question's"
    page = client.get(at)
    clock.move(seconds=7)
    sent = fields(page, f"{at}/answer") | {"answer": right(question(deps, launch).item)}
    client.post(f"{at}/answer", data=sent)
    assert study.look(deps, launch).attempt.active_ms == 7000


# Who may


def test_a_launch_opens_only_in_its_own_browser(gateway, deps, launch):
    for secret in (None, ANOTHER, "nonsense"):
        page = browser(gateway, secret).get(address(launch))
        assert page.status_code == 401
        assert "frame-ancestors https://lms.example" in page.headers["Content-Security-Policy"]
    assert study.look(deps, launch).attempt is None


def test_two_launches_in_one_browser_stay_apart(client, deps, tenant, course, activity, launch):
    bob = course.launch(person(deps, tenant, "Bob"), activity)
    mine = client.get(address(launch))
    theirs = client.get(address(bob))
    sent = fields(mine, f"{address(launch)}/answer") | {
        "answer": right(question(deps, launch).item)
    }
    assert client.post(f"{address(bob)}/answer", data=sent).status_code == 403
    theirs_sent = fields(theirs, f"{address(bob)}/answer")
    mixed = theirs_sent | {"decision": sent["decision"], "answer": sent["answer"]}
    client.post(f"{address(bob)}/answer", data=mixed)
    assert study.look(deps, bob).attempt.answers == study.look(deps, launch).attempt.answers == 0
    assert client.post(f"{address(launch)}/answer", data=sent).status_code == 303
    assert study.look(deps, bob).attempt.answers == 0
    assert study.look(deps, launch).attempt.answers == 1


def test_a_form_needs_our_own_page(client, deps, launch):
    at = address(launch)
    page = client.get(at)
    sent = fields(page, f"{at}/answer") | {"answer": right(question(deps, launch).item)}
    assert client.post(f"{at}/answer", data=sent | {"csrf": "0" * 64}).status_code == 403
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(f"{at}/answer", data=sent, headers=foreign).status_code == 403
    assert client.post(f"{at}/begin", data={}).status_code == 403
    assert study.look(deps, launch).attempt.answers == 0


def test_a_frame_that_lost_its_cookie_goes_on_by_its_token(gateway, client, deps, launch):
    at = address(launch)
    page, bare = client.get(at), browser(gateway, None)
    for number in (2, 3):
        asked = question(deps, launch)
        sent = fields(page, f"{at}/answer") | {"answer": right(asked.item)}
        page = bare.post(f"{at}/answer", data=sent)
        assert page.status_code == 200, "a redirect would lead nowhere"
        assert f"Question {number}" in words(page)
        assert 'id="feedback"' in page.text
    assert sent["launch_token"] not in page.headers.get("Location", "")
    assert bare.post(at, data={"launch_token": sent["launch_token"]}).status_code == 200
    assert bare.post(at, data={"launch_token": "x" + sent["launch_token"]}).status_code == 401
    other = {"launch_token": sent["launch_token"]}
    assert bare.post("/learn/" + "A" * 43, data=other).status_code == 401


def test_who_is_switched_off_is_shown_out_at_the_next_request(
    client, gateway, deps, tenant, ada, launch
):
    at, session = address(launch), signed_in(deps, tenant, ada)
    mine = browser(gateway, None, session)
    page = client.get(at)
    sent = fields(page, f"{at}/answer") | {"answer": right(question(deps, launch).item)}
    assert mine.get("/learn/a/pricing").status_code == 200
    off(deps, tenant, ada)
    assert client.post(f"{at}/answer", data=sent).status_code == 401
    assert client.get(at).status_code == 401
    gone = mine.get("/learn/a/pricing")
    assert (gone.status_code, gone.location) == (303, "/sso?return_to=/learn/a/pricing")
    assert mine.get("/learn").location == "/sso?return_to=/learn"
    assert mine.post("/learn/a/pricing/answer", data=sent).status_code == 401


# By sign-in


def test_the_list_and_the_activity_by_sign_in(gateway, deps, tenant, ada, activity):
    mine = browser(gateway, None, signed_in(deps, tenant, ada))
    assert "Prices & plans" in words(mine.get("/learn"))
    page = mine.get("/learn/a/pricing")
    assert "What you will show Skill A Skill B" in words(page)
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    session = signed_in(deps, tenant, ada)
    assert study.look(deps, session).attempt is None, "looking begins nothing"
    begun = mine.post("/learn/a/pricing/begin", data=fields(page, "/learn/a/pricing/begin"))
    assert begun.status_code == 303
    assert submit(mine, deps, session, "/learn/a/pricing").status_code == 303
    assert "Begun" in words(mine.get("/learn"))


def test_the_same_progress_by_either_door(gateway, client, deps, tenant, ada, launch):
    submit(client, deps, launch, address(launch))
    submit(client, deps, launch, address(launch), wrong)
    mine = browser(gateway, None, signed_in(deps, tenant, ada))
    here, there = words(client.get(address(launch))), words(mine.get("/learn/a/pricing"))
    assert "Question 3" in here
    progress = here[here.index("Your progress") : here.index("Back to your course")]
    assert progress in there


def test_a_form_of_someone_who_has_signed_out_does_not_write_for_the_next(
    gateway, deps, tenant, ada, activity
):
    first, second = (
        signed_in(deps, tenant, ada),
        signed_in(deps, tenant, person(deps, tenant, "Bob")),
    )
    for session in (first, second):
        attempt.begin(deps, session)
    mine = browser(gateway, None, first)
    page = mine.get("/learn/a/pricing")
    sent = fields(page, "/learn/a/pricing/answer") | {"answer": right(question(deps, first).item)}
    mine.set_cookie("ostiary_session", cookie(second), domain="127.0.0.1")
    assert mine.post("/learn/a/pricing/answer", data=sent).status_code == 403
    assert study.look(deps, second).attempt.answers == 0


def test_another_tenants_activity_is_not_there(gateway, deps, tenant, other_tenant, activity):
    eve = browser(gateway, None, signed_in(deps, other_tenant, person(deps, other_tenant, "Eve")))
    assert eve.get("/learn/a/pricing").status_code == 404
    assert "nothing to learn" in words(eve.get("/learn"))


# The teacher's


def test_a_teacher_sees_the_course(client, deps, http, tenant, course, ada, activity, launch):
    attempt.begin(deps, launch)
    finish(deps, launch)
    door = course.launch(person(deps, tenant, "Tess"), activity, role=INSTRUCTOR)
    page = client.get(address(door))
    assert "gives no list of members" in words(page)
    assert re.search(r"Ada 100% \d+ 2 Mar 2026", words(page))
    assert study.look(deps, door).attempt is None, "a teacher's visit begins nothing"
    tried = client.get(f"{address(door)}?as=learner")
    assert "Question 1" in words(tried)
    at = f"{address(door)}/answer?as=learner"
    sent = fields(tried, at) | {"answer": right(question(deps, door).item)}
    assert "as=learner" in client.post(at, data=sent).location


def test_a_teacher_sees_those_who_have_not_begun(client, deps, http, tenant, ada, activity):
    course = Course(deps, tenant)
    roster = [
        {"user_id": "sub-Ada", "name": "Ada B.", "roles": ["Learner"]},
        {"user_id": "sub-new", "name": "<b>New</b>", "roles": ["Learner"]},
        {"user_id": "sub-Tess", "name": "Tess", "roles": ["Instructor"]},
        {"user_id": "sub-gone", "name": "Gone", "roles": ["Learner"], "status": "Inactive"},
    ]
    http.answers["https://lms.example/token"] = json_answer(
        {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
    )
    http.answers["https://lms.example/members"] = members_page(*roster)
    door = course.launch(person(deps, tenant, "Tess"), activity, role=INSTRUCTOR, members=True)
    page = client.get(address(door))
    said = words(page)
    assert "The 2 learners of this course" in said
    assert "Ada B. Not begun" in said
    assert "&lt;b&gt;New&lt;/b&gt;" in page.text
    assert "Gone" not in said


def test_a_learner_cannot_see_the_class(client, deps, launch):
    assert "Progress of each learner" not in client.get(address(launch)).text
    assert "Question 1" in words(client.get(f"{address(launch)}?as=teacher"))


# Hostile input


def test_authors_texts_are_never_markup(client, deps, tenant, course, ada):
    evil = '<script>alert(1)</script><img src=x onerror="1"> `<b>` *<i>*'
    doors = []
    for kind in ("single_choice", "multiple_choice", "text", "number"):
        items = [
            item(f"{s}{i}", s, kind, i / 4, prompt=evil, explanation=evil, feedback={"right": evil, "wrong": evil})
            for s in "ab" for i in range(4)
        ]  # fmt: skip
        if kind == "number":
            for one in items:
                one["numeric"]["unit"] = "<b>eur</b>"
        skills = [
            {"key": "a", "title": evil},
            {"key": "b", "title": evil + "2", "prerequisites": ["a"]},
        ]
        resources = [{"key": f"r{s}", "title": evil, "body": evil, "skills": [s]} for s in "ab"]
        made = publish(
            deps, tenant, f"evil-{kind}".replace("_", "-"), title=evil, description=evil, items=items,
            skills=skills, resources=resources,
        )  # fmt: skip
        doors.append(course.launch(ada, made))
    for door in doors:
        pages = [client.get(address(door))]
        pages += [
            client.get(submit(client, deps, door, address(door), wrong).location) for _ in range(4)
        ]
        finish(deps, door, wrong)
        pages.append(client.get(address(door)))
        for page in pages:
            assert page.status_code == 200
            assert not re.search(
                r"<(script|img|b|i)[ >]", page.text.replace('<img src="/static', "")
            )


def test_marks_of_the_safe_subset():
    assert (
        str(prose("a *b* `c*d*`\n\n\n<e>"))
        == "<p>a <em>b</em> <code>c*d*</code></p>\n<p>&lt;e&gt;</p>"
    )
    assert str(inline("3 * 4 * 5 `x")) == "3 * 4 * 5 `x"


@given(st.text(max_size=300))
def test_no_text_becomes_markup_of_its_own(text):
    made = re.sub(r"</?(p|em|code)>", "", str(prose(text)))
    assert "<" not in made
    assert ">" not in made


wild = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["", "\x00", "\ud800", "%00", "../..", "a" * 5000, "x" * 43, "1" * 400, "'\"--"]
    ),
)


@drawn(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.dictionaries(
        st.sampled_from(["answer", "decision", "shown", "after", "launch_token", "csrf"]),
        st.lists(wild, max_size=4),
    ),
    query=st.dictionaries(st.sampled_from(["answered", "note", "as"]), wild),
)
def test_wild_forms_never_break_the_page(client, deps, launch, data, query):
    at = address(launch)
    page = client.get(at)
    clean = {
        name: [one.encode("utf-8", "replace").decode() for one in values]
        for name, values in data.items()
    }
    asked = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    known = fields(page, f"{at}/answer") if "Question" in page.text else {}
    for sent in (clean, {**known, **clean}):
        for step in ("", "/answer", "/begin"):
            answer = client.post(at + step, data=sent, query_string=asked)
            assert answer.status_code in {200, 303, 400, 401, 403}, answer.text
    assert client.get(at, query_string=asked).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/learn/x", "/learn/%00", "/learn/" + "A" * 43, "/learn/" + "A" * 5000, "/learn/a/%00", "/learn/a/../x",
        "/learn/a/UPPER", "/learn/a/" + "a" * 900, "/learn/a/x/answer", "/learn/a/%F0%9F%92%A9", "/learn/a/x%0Ay",
    ],
)  # fmt: skip
def test_odd_addresses_are_refused_clearly(gateway, deps, tenant, ada, activity, path):
    mine = browser(gateway, BROWSER, signed_in(deps, tenant, ada))
    for method in ("get", "post"):
        assert getattr(mine, method)(path).status_code in {401, 403, 404, 405}


def test_a_token_of_another_launch_opens_nothing(
    gateway, client, deps, tenant, course, activity, launch
):
    token = fields(client.get(address(launch)), f"{address(launch)}/answer")["launch_token"]
    bob = course.launch(person(deps, tenant, "Bob"), activity, browser=ANOTHER)
    assert (
        browser(gateway, None).post(address(bob), data={"launch_token": token}).status_code == 401
    )


def test_a_token_does_not_outlive_its_hour(gateway, client, clock, launch):
    token = fields(client.get(address(launch)), f"{address(launch)}/answer")["launch_token"]
    bare = browser(gateway, None)
    assert bare.post(address(launch), data={"launch_token": token}).status_code == 200
    clock.move(hours=1, seconds=1)
    assert bare.post(address(launch), data={"launch_token": token}).status_code == 401
