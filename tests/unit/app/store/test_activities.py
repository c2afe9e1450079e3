from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import IntegrityError

from app.learning import document
from app.learning.errors import ContentInvalid
from app.learning.estimate import parameters_of
from app.store import activities, learning
from tests.conftest import new_tenant
from tests.learners import document as content_of
from tests.learners import person, publish


def test_the_same_content_stays_one_version_and_other_content_is_the_next(deps, tenant):
    first = publish(deps, tenant)
    assert publish(deps, tenant) == first
    with deps.db.read(tenant.id) as read:
        assert activities.by_slug(read, "pricing").version == 1
    assert publish(deps, tenant, title="Another title") == first
    publish(deps, tenant)
    with deps.db.read(tenant.id) as read:
        found = activities.get(read, first)
        assert (found.version, found.title) == (3, "Prices & plans")
        titles = [activities.content(read, first, version).title for version in (1, 2, 3)]
    assert titles == ["Prices & plans", "Another title", "Prices & plans"]


def test_many_imports_at_once_make_one_activity(deps, tenant):
    with ThreadPoolExecutor(6) as pool:
        ids = set(pool.map(lambda _: publish(deps, tenant), range(6)))
    assert len(ids) == 1
    with deps.db.read(tenant.id) as read:
        assert [(one.slug, one.version) for one in activities.listed(read)] == [("pricing", 1)]


def test_a_refused_document_leaves_nothing(deps, tenant):
    with pytest.raises(ContentInvalid):
        publish(deps, tenant, skills=[])
    with deps.db.read(tenant.id) as read:
        assert activities.listed(read) == []


def test_tenants_have_slugs_and_content_of_their_own(deps, tenant):
    other = new_tenant(deps, "globex")
    ours, theirs = publish(deps, tenant), publish(deps, other, title="Theirs")
    assert ours != theirs
    with deps.db.read(other.id) as read:
        assert activities.get(read, ours) is None
        assert activities.by_slug(read, "pricing").title == "Theirs"
        assert [one.id for one in activities.listed(read)] == [theirs]


def test_content_and_parameters_come_back_as_they_were_published(deps, tenant):
    made = document.parse(content_of())
    activity_id = publish(deps, tenant)
    with deps.db.read(tenant.id) as read:
        assert activities.content(read, activity_id, 1) == made
        assert activities.content(read, activity_id, 1) is activities.content(read, activity_id, 1)
        assert activities.digest_of(read, activity_id, 1) == made.digest
        version = activities.newest_parameters(read, activity_id, 1)
        assert activities.parameters_at(read, activity_id, 1, version) == parameters_of(made)


def test_a_version_that_was_never_committed_is_not_remembered(deps, tenant):
    activity_id = publish(deps, tenant)
    lost = document.parse(content_of(title="Lost"))
    with pytest.raises(RuntimeError), deps.db.tx(tenant.id) as tx:
        activities.publish(tx, activity_id, 2, lost, parameters_of(lost), deps.clock())
        assert activities.content(tx, activity_id, 2).title == "Lost"
        raise RuntimeError
    publish(deps, tenant, title="Kept")
    with deps.db.read(tenant.id) as read:
        assert activities.content(read, activity_id, 2).title == "Kept"


def test_a_person_has_one_open_attempt_in_an_activity(deps, tenant):
    activity_id, ada, now = publish(deps, tenant), person(deps, tenant), deps.clock()

    def add(status):
        with deps.db.tx(tenant.id) as tx:
            learning.add_attempt(tx, learning.Attempt(
                id=deps.ids.new(), person_id=ada.id, identity_id=None, activity_id=activity_id, version=1,
                parameters="authored", registration=deps.ids.new(), practice=False, state=None,
                status=status, score=0, answers=0, active_ms=0, decision_id=deps.ids.new(),
                started_at=now, updated_at=now, completed_at=None,
            ))  # fmt: skip

    add("mastered")
    add("open")
    with pytest.raises(IntegrityError):
        add("open")
    add("exhausted")
    with deps.db.read(tenant.id) as read:
        assert learning.latest(read, ada.id, activity_id).open
