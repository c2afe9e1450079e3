import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app.flows import attempt, study
from app.kernel.errors import NotFound, Refused, Unauthenticated
from app.kernel.tenant import TenantId
from app.learning import explain
from app.learning.errors import ResponseInvalid
from app.store import activities, launches, learning, outbox, statements, tenants
from app.xapi.validate import validated
from tests.conftest import new_tenant
from tests.learners import (
    INSTRUCTOR,
    Course,
    finish,
    give,
    item,
    off,
    person,
    publish,
    question,
    right,
    signed_in,
    wrong,
)

UNKNOWN = "01890000-0000-7000-8000-000000000000"


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
def launch(deps, course, ada, activity):
    door = course.launch(ada, activity)
    attempt.begin(deps, door)
    return door


def recorded(deps, tenant):
    with deps.db.system() as system:
        return [json.loads(one.body) for one in statements.after(system, tenant.id, 0, 0, 1000)]


def verbs(deps, tenant):
    return [one["verb"]["id"].rpartition("/")[2] for one in recorded(deps, tenant)]


def grades(deps, tenant):
    """All scores ever enqueued, oldest first, with what became of them."""
    with deps.db.read(tenant.id) as read:
        rows = outbox.listed(read, 1000)
    with deps.db.system() as system:
        payloads = system.conn.exec_driver_sql("SELECT id, payload FROM event").all()
    by_id = {key: json.loads(value) if isinstance(value, str) else value for key, value in payloads}
    return [(row["status"], by_id[row["event_id"]]) for row in reversed(rows)]


def stored(deps, tenant, who, activity):
    with deps.db.read(tenant.id) as read:
        known = learning.learned(read, who.id, activity)
        last = learning.latest(read, who.id, activity)
        return known, last, learning.answers(read, last.id), learning.decisions(read, last.id)


# The walk


def test_a_learner_walks_to_mastery(deps, clock, tenant, ada, activity, launch):
    while study.look(deps, launch).asked:
        clock.move(seconds=20)
        give(deps, launch)
    seen = study.look(deps, launch)
    assert seen.attempt.status == "mastered"
    assert seen.progress.mastered
    assert (seen.best, seen.completed) == (1.0, True)
    known, last, answers, decisions = stored(deps, tenant, ada, activity)
    assert known.answers == last.answers == len(answers) == len(decisions) - 1
    assert [one.decision_id for one in answers] == [one.id for one in decisions[:-1]]
    assert last.decision_id == decisions[-1].id
    assert known.completed_at == last.completed_at == clock()


def test_the_record_tells_it_in_order_and_validly(deps, clock, tenant, ada, activity, launch):
    asked, shown = question(deps, launch), clock()
    clock.move(seconds=20)
    attempt.answer(deps, launch, asked.decision_id, wrong(asked.item), shown)
    count = 1 + finish(deps, launch)
    found = recorded(deps, tenant)
    names = verbs(deps, tenant)
    assert names[:3] == ["launched", "initialized", "answered"]
    assert names[-4:] == ["answered", "mastered", "completed", "passed"]
    assert names.count("answered") == count
    assert names.count("mastered") == 2
    assert [names.count(v) for v in ("launched", "initialized", "completed", "passed")] == [1] * 4
    assert len({one["id"] for one in found}) == len(found)
    times = [datetime.fromisoformat(one["timestamp"]) for one in found]
    assert times == sorted(times)
    for one in found:
        validated(one)
        assert one["actor"]["account"] == {"homePage": tenant.home_page, "name": ada.id}
        assert one["context"]["platform"] == "https://lms.example"
    assert len({one["context"]["registration"] for one in found}) == 1
    iri = f"{tenant.home_page}/activities/pricing"
    assert found[0]["object"]["id"] == found[-1]["object"]["id"] == iri
    assert found[2]["object"]["id"].startswith(iri + "/items/a")
    assert found[2]["result"]["success"] is False
    assert found[2]["result"]["duration"] == "PT20S"
    assert found[-1]["result"]["score"] == {"scaled": 1.0}
    assert not any("Ada" in json.dumps(one) for one in found)


@pytest.mark.parametrize("answers", [right, wrong])
def test_every_decision_can_be_replayed(deps, tenant, ada, activity, launch, answers):
    finish(deps, launch, answers)
    _, last, _, decisions = stored(deps, tenant, ada, activity)
    with deps.db.read(tenant.id) as read:
        content = activities.content(read, activity, last.version)
        parameters = activities.parameters_at(read, activity, last.version, last.parameters)
    assert len(decisions) > 2
    for one in decisions:
        _, same = explain.replay(one.explanation, content, parameters)
        assert same
        assert one.explanation["id"] == one.id


def test_the_grade_follows_and_never_falls(deps, clock, tenant, launch):
    shown = []
    while study.look(deps, launch).asked:
        clock.move(seconds=5)
        give(deps, launch)
        shown.append(study.look(deps, launch).best)
    sent = grades(deps, tenant)
    scores = [fact["score"] for _, fact in sent]
    assert scores == sorted(scores)
    assert scores[-1] == shown[-1] == 1.0
    assert [status for status, _ in sent] == ["superseded"] * (len(sent) - 1) + ["waiting"]
    assert [fact["completed"] for _, fact in sent] == [False] * (len(sent) - 1) + [True]
    stamps = [fact["timestamp"] for _, fact in sent]
    assert len(set(stamps)) == len(stamps)
    assert stamps == sorted(stamps)


def test_an_answer_that_moves_nothing_sends_no_grade(deps, tenant, launch):
    give(deps, launch, wrong)
    assert study.look(deps, launch).best == 0
    assert grades(deps, tenant) == []


def test_who_misses_everything_gets_something_to_read_and_then_a_break(
    deps, tenant, ada, activity, launch
):
    offered = []
    while (asked := study.look(deps, launch).asked) is not None:
        offered.append(asked.resource)
        give(deps, launch, wrong)
    assert any(offered)
    assert study.look(deps, launch).attempt.status == "exhausted"
    assert verbs(deps, tenant)[-1] == "terminated"
    assert not {"completed", "passed", "mastered"} & set(verbs(deps, tenant))
    assert [fact["score"] for _, fact in grades(deps, tenant)] == [0.0]
    known, last, *_ = stored(deps, tenant, ada, activity)
    assert known.completed_at is None
    attempt.begin(deps, launch, after=last.id)
    again = study.look(deps, launch)
    assert again.asked
    assert not again.attempt.practice
    finish(deps, launch)
    assert study.look(deps, launch).completed


def test_an_end_that_moves_nothing_sends_no_grade_again(deps, tenant, launch):
    give(deps, launch)
    while study.look(deps, launch).asked is not None:
        give(deps, launch, wrong)
    assert study.look(deps, launch).attempt.status == "exhausted"
    scores = [fact["score"] for _, fact in grades(deps, tenant)]
    assert scores
    assert len(set(scores)) == len(scores)


# Nothing twice, nothing lost


def test_a_repeated_submission_counts_once(deps, tenant, launch):
    asked = question(deps, launch)
    sent = right(asked.item)
    first = attempt.answer(deps, launch, asked.decision_id, sent, None)
    after = study.look(deps, launch)
    assert first.outcome == "scored"
    assert attempt.answer(deps, launch, asked.decision_id, sent, None).outcome == "repeated"
    assert (
        attempt.answer(deps, launch, asked.decision_id, wrong(asked.item), None).outcome == "kept"
    )
    assert study.look(deps, launch) == after
    assert verbs(deps, tenant).count("answered") == 1


def test_two_submissions_at_once_count_once(deps, tenant, ada, activity, launch):
    for _ in range(4):
        asked = question(deps, launch)

        def send(_, asked=asked):
            return attempt.answer(deps, launch, asked.decision_id, right(asked.item), None).outcome

        with ThreadPoolExecutor(4) as pool:
            outcomes = sorted(pool.map(send, range(4)))
        assert outcomes == ["repeated"] * 3 + ["scored"]
    _, last, answers, decisions = stored(deps, tenant, ada, activity)
    assert (last.answers, len(answers), len(decisions)) == (4, 4, 5)
    assert verbs(deps, tenant).count("answered") == 4


def test_two_begins_at_once_make_one_attempt(deps, tenant, ada, activity, course):
    doors = [course.launch(ada, activity), signed_in(deps, tenant, ada)] * 3
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda door: attempt.begin(deps, door), doors))
    with deps.db.read(tenant.id) as read:
        assert len(learning.attempts(read, ada.id)) == 1


def test_a_page_left_behind_answers_nothing(deps, tenant, ada, activity, launch):
    asked = question(deps, launch)
    finish(deps, launch)
    before = verbs(deps, tenant)
    assert attempt.answer(deps, launch, UNKNOWN, ["x"], None).outcome == "moved_on"
    assert attempt.answer(deps, launch, asked.decision_id, ["w"], None).outcome == "kept"
    _, last, *_ = stored(deps, tenant, ada, activity)
    assert attempt.answer(deps, launch, last.decision_id, ["x"], None).outcome == "moved_on"
    assert verbs(deps, tenant) == before


def test_an_answer_of_the_wrong_kind_changes_nothing(deps, tenant, launch):
    asked = question(deps, launch)
    before = study.look(deps, launch)
    for sent in ([], [""], ["nonsense\x00"], ["x"] * 50, ["\ud800"], ["a" * 501]):
        with pytest.raises(ResponseInvalid):
            attempt.answer(deps, launch, asked.decision_id, sent, None)
    assert study.look(deps, launch) == before
    assert verbs(deps, tenant) == ["launched", "initialized"]


def test_a_number_too_large_for_the_record_is_only_wrong(deps, tenant, launch):
    while (asked := question(deps, launch)).item.key[1:] != "3":
        give(deps, launch, wrong)
    sent = ["123.456.789.012.345.678"]
    assert attempt.answer(deps, launch, asked.decision_id, sent, None).outcome == "scored"
    answered = [one for one in recorded(deps, tenant) if one["verb"]["id"].endswith("answered")]
    assert answered[-1]["result"]["response"] == sent[0]


def test_time_is_measured_from_the_showing_and_bounded(deps, clock, tenant, ada, activity, launch):
    for shown, seconds in ((0, 12), (-3600, 10), (0, 7200), (7200, 0)):
        asked, at = question(deps, launch), clock() + timedelta(seconds=shown)
        clock.move(seconds=seconds)
        attempt.answer(deps, launch, asked.decision_id, right(asked.item), at)
    asked = question(deps, launch)
    attempt.answer(deps, launch, asked.decision_id, right(asked.item), None)
    _, last, answers, _ = stored(deps, tenant, ada, activity)
    assert [one.duration_ms for one in answers] == [12_000, 10_000, 1_800_000, 0, None]
    assert last.active_ms == 1_822_000


# Who may


def test_another_persons_launch_sees_and_moves_only_its_own(deps, tenant, activity, course, launch):
    bob = person(deps, tenant, "Bob")
    theirs = course.launch(bob, activity)
    attempt.begin(deps, theirs)
    asked = question(deps, launch)
    assert question(deps, theirs).decision_id != asked.decision_id
    done = attempt.answer(deps, theirs, asked.decision_id, right(asked.item), None)
    assert done.outcome == "moved_on"
    assert question(deps, launch).decision_id == asked.decision_id
    give(deps, launch)
    assert attempt.answer(deps, theirs, asked.decision_id, ["w"], None).outcome == "moved_on"
    assert study.look(deps, theirs, asked.decision_id).feedback is None
    assert study.look(deps, theirs).attempt.answers == 0


def test_who_is_switched_off_midway_can_do_nothing_more(deps, tenant, ada, launch):
    session = signed_in(deps, tenant, ada)
    give(deps, launch)
    asked = question(deps, launch)
    off(deps, tenant, ada)
    for door in (launch, session):
        with pytest.raises(Unauthenticated):
            attempt.answer(deps, door, asked.decision_id, right(asked.item), None)
        with pytest.raises(Unauthenticated):
            attempt.begin(deps, door)
        with pytest.raises(Unauthenticated):
            study.look(deps, door)
    assert verbs(deps, tenant).count("answered") == 1


def test_a_tenant_switched_off_midway_stops_its_learners(deps, tenant, launch):
    asked = question(deps, launch)
    with deps.db.system(write=True) as system:
        tenants.enable(system, tenant.id, deps.clock(), enabled=False)
    with pytest.raises(Unauthenticated):
        attempt.answer(deps, launch, asked.decision_id, right(asked.item), None)


def test_another_tenants_launch_and_activity_are_not_there(deps, tenant, activity, launch):
    other = new_tenant(deps, "globex")
    with pytest.raises(Unauthenticated):
        study.look(deps, replace(launch, tenant_id=TenantId(other.id)))
    eve = person(deps, other, "Eve")
    with pytest.raises(NotFound):
        study.look(deps, signed_in(deps, other, eve))
    with pytest.raises(Refused):
        study.look(deps, Course(deps, other, "https://other.example").launch(eve, activity))


# Here and there


def test_the_same_person_goes_on_by_another_door(deps, tenant, ada, launch):
    give(deps, launch)
    give(deps, launch, wrong)
    session = signed_in(deps, tenant, ada)
    here, there = study.look(deps, launch), study.look(deps, session)
    assert (there.attempt, there.asked, there.progress) == (here.attempt, here.asked, here.progress)
    finish(deps, session)
    assert study.look(deps, launch).completed
    _, sent = grades(deps, tenant)[-1]
    assert sent["score"] == 1.0, "the gradebook follows, whatever door was used"


def test_a_second_course_gets_the_grade_too(deps, tenant, ada, activity, course, launch):
    finish(deps, launch)
    second = course.launch(ada, activity, link="link-2")
    assert not study.look(deps, second).arrived
    attempt.begin(deps, second)
    assert study.look(deps, second).arrived
    assert study.look(deps, second).attempt.status == "mastered"
    status, sent = grades(deps, tenant)[-1]
    assert (status, sent["line_item"]) == ("waiting", "https://lms.example/link-2/item")
    assert (sent["score"], sent["completed"]) == (1.0, True)
    assert verbs(deps, tenant)[-1] == "launched"


def test_a_teacher_who_tries_it_gets_no_grade(deps, tenant, activity, course):
    door = course.launch(person(deps, tenant, "Tess"), activity, role=INSTRUCTOR)
    attempt.begin(deps, door)
    finish(deps, door)
    assert grades(deps, tenant) == []


def test_practice_begins_anew_and_lowers_nothing(deps, tenant, ada, activity, launch):
    finish(deps, launch)
    known, last, *_ = stored(deps, tenant, ada, activity)
    sent = len(grades(deps, tenant))
    attempt.begin(deps, launch, after=last.id)
    attempt.begin(deps, launch, after=last.id)
    practice = study.look(deps, launch)
    assert practice.attempt.practice
    assert practice.asked
    assert not any(skill.mastered for skill in practice.progress.skills)
    for _ in range(3):
        give(deps, launch, wrong)
    assert stored(deps, tenant, ada, activity)[0] == known
    finish(deps, launch)
    assert stored(deps, tenant, ada, activity)[0] == known
    assert len(grades(deps, tenant)) == sent
    assert (study.look(deps, launch).best, study.look(deps, launch).completed) == (1.0, True)
    registrations = {one["context"]["registration"] for one in recorded(deps, tenant)}
    assert len(registrations) == 2
    with deps.db.read(tenant.id) as read:
        assert len(learning.attempts(read, ada.id)) == 2


def test_another_attempt_begins_only_after_the_one_that_is_named(
    deps, tenant, ada, activity, launch
):
    give(deps, launch)
    _, last, *_ = stored(deps, tenant, ada, activity)
    for after in (last.id, UNKNOWN, None):
        attempt.begin(deps, launch, after=after)
    finish(deps, launch)
    attempt.begin(deps, launch, after=UNKNOWN)
    assert stored(deps, tenant, ada, activity)[1].id == last.id


def test_new_content_does_not_touch_an_attempt_under_way(deps, tenant, ada, activity, launch):
    give(deps, launch)
    asked = question(deps, launch)
    more = [item(f"{s}{i}", s, "single_choice", i / 4) for s in "abc" for i in range(5)]
    skills = [{"key": key, "title": f"New {key}"} for key in "abc"]
    assert publish(deps, tenant, items=more, skills=skills, resources=[]) == activity
    assert question(deps, launch) == asked
    finish(deps, launch)
    done = study.look(deps, launch)
    assert (done.attempt.version, done.attempt.status, done.newer) == (1, "mastered", True)
    attempt.begin(deps, launch, after=done.attempt.id)
    again = study.look(deps, launch)
    assert (again.attempt.version, again.attempt.practice) == (2, False)
    assert [skill.mastered for skill in again.progress.skills] == [True, True, False]
    assert again.asked.item.skills == ("c",)
    assert again.best == 1.0, "what was graded stays, also before the new part is shown"
    give(deps, launch, wrong)
    assert all(sent["score"] <= 1 for _, sent in grades(deps, tenant))
    assert grades(deps, tenant)[-1][1]["score"] == 1.0


def test_the_list_offers_what_there_is_until_something_is_assigned(
    deps, tenant, ada, activity, launch
):
    publish(deps, tenant, "second", title="A second one")
    session = signed_in(deps, tenant, ada)
    who, where, shelves = study.shelves(deps, session)
    assert (who.id, where.id) == (ada.id, tenant.id)
    assert [(one.activity.slug, one.status) for one in shelves] == [
        ("pricing", "open"),
        ("second", "new"),
    ]
    finish(deps, launch)
    _, _, shelves = study.shelves(deps, session)
    assert [(one.activity.slug, one.status) for one in shelves] == [
        ("second", "new"),
        ("pricing", "done"),
    ]
    other = new_tenant(deps, "globex")
    assert study.shelves(deps, signed_in(deps, other, person(deps, other)))[2] == []


def test_a_launch_whose_line_item_is_gone_from_reach_is_still_learned(
    deps, tenant, ada, activity, launch
):
    with deps.db.read(tenant.id) as read:
        found = launches.to_grade(read, ada.id, activity)
    assert [one.id for one in found] == [launch.launch_id]
    with deps.db.read(tenant.id) as read:
        assert launches.to_grade(read, UNKNOWN, activity) == []
