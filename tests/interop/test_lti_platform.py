"""Launch, grades and members with `lti1p3platform`, a platform's side of LTI that we did not write."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.test_walk import learn_until_mastery
from tests.demo import eventually
from tests.interop.gateway import Gateway
from tests.visitor import Page, Visitor

if TYPE_CHECKING:
    from tests.interop.lti_peer import Peer

pytestmark = pytest.mark.interop

SEED = files("app.learning").joinpath("seed/product_update.json")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = Gateway(tmp_path_factory.mktemp("lti"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def peer(gateway: Gateway) -> Iterator[Peer]:
    from tests.interop.lti_peer import Peer

    made = Peer()
    tool = gateway.ostiary(
        "platform", "add", "--tenant", gateway.tenant, "--name", "Open", "--issuer", made.issuer,
        "--client-id", "client-9", "--deployment-id", "dep-9", "--auth-url", f"{made.issuer}/auth",
        "--token-url", f"{made.issuer}/token", "--jwks-url", f"{made.issuer}/jwks",
    )  # fmt: skip
    made.register(tool, "client-9", "dep-9")
    with as_file(SEED) as seed:
        made.activity = gateway.ostiary(
            "activity", "import", str(seed), "--tenant", gateway.tenant
        )["slug"]
    yield made
    made.stop()


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    made = Visitor()
    yield made
    made.close()


def launch(peer: Peer, visitor: Visitor, user: str) -> Page:
    return visitor.through(visitor.get(f"{peer.issuer}/launch/{user}"))


def test_a_learner_comes_by_their_launch_and_the_grade_goes_back_to_them(
    gateway: Gateway, peer: Peer, visitor: Visitor
):
    page = launch(peer, visitor, "501")
    assert page.status == 200, page.text
    said: dict[str, Any] = visitor.get(f"{gateway.base_url}/api/v1/me").response.json()
    assert said["via"] == "lti"
    assert (said["person"]["displayName"], said["person"]["email"]) == (
        "Noor Haddad",
        "noor@open.example",
    )
    page, answers = learn_until_mastery(visitor, page)
    assert "Completed" in page.text
    assert page.links["Back to your course"] == f"{peer.issuer}/course"

    last = eventually(
        lambda: [
            one
            for one in peer.scores
            if one["gradingProgress"] == "FullyGraded" and one["scoreGiven"] == one["scoreMaximum"]
        ]
    )[-1]
    assert (last["userId"], last["activityProgress"]) == ("501", "Completed")
    times = [one["timestamp"] for one in peer.scores]
    assert times == sorted(set(times))
    assert len(peer.scores) <= answers + 1
    assert peer.refused == []
    eventually(lambda: all(
        row["status"] in {"delivered", "superseded"}
        for row in gateway.ostiary("outbox", "list", "--tenant", gateway.tenant)
    ))  # fmt: skip


def test_a_teacher_sees_the_class_by_their_list_of_members(
    gateway: Gateway, peer: Peer, visitor: Visitor
):
    page = launch(peer, visitor, "503")
    assert page.status == 200, page.text
    assert "Noor Haddad" in page.text
    assert "Pia Lund" in page.text
    assert "as your learning platform lists them" in page.text
    assert peer.refused == []


def test_their_launch_opens_once_and_while_it_is_fresh(
    gateway: Gateway, peer: Peer, visitor: Visitor
):
    form = visitor.get(f"{peer.issuer}/launch/502").forms[0]
    assert visitor.submit(form).status == 200
    assert 400 <= visitor.submit(form).status < 500
    peer.token_life = -60
    assert 400 <= launch(peer, visitor, "502").status < 500
    peer.token_life = 300
    assert launch(peer, visitor, "502").status == 200


def test_our_keys_change_and_they_go_on_trusting_us(gateway: Gateway, peer: Peer, visitor: Visitor):
    """They fetch our keys once and keep them: a new key must not sign before they could see it."""
    gateway.ostiary("key", "rotate", "--owner", gateway.tenant)
    page = launch(peer, visitor, "502")
    before, granted = len(peer.scores), peer.granted
    learn_until_mastery(visitor, page)
    eventually(lambda: len(peer.scores) > before)
    assert peer.granted > granted
    assert peer.refused == []
