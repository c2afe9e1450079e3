"""The learner's pages, by sign-in (/learn/a/SLUG) and by launch (/learn/LAUNCH), and the teacher's.

Each page and form names its launch or its session's activity. Answers are posted, then shown by a
redirect; a browser that lost the launch's cookie gets the page as the answer to its form instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import Blueprint, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import attempt as attempts
from app.flows import classroom, study
from app.flows.learner import ByLaunch, BySession
from app.flows.study import Study
from app.kernel import credential
from app.kernel.errors import NotFound, Unauthenticated
from app.learning.errors import ResponseInvalid
from app.store import launches
from app.store.launches import Launch
from app.store.sessions import Session
from app.web import guard, here, prose

blueprint = Blueprint("learn", __name__, url_prefix="/learn")
blueprint.add_app_template_filter(prose.prose, "prose")
blueprint.add_app_template_filter(prose.inline, "inline")

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SHOWN = "question shown"
_MOST_VALUES = 50
_NOTES = {
    "kept": "You had answered this question already, so your first answer stands.",
    "moved_on": "That question is no longer asked. Here is where you are now.",
}


@dataclass(frozen=True, slots=True)
class Way:
    """How the learner came: by a launch or a session; `path` is the activity's page for them."""

    door: ByLaunch | BySession
    subject: str
    path: str
    launch: Launch | None = None
    session: Session | None = None

    def url(self, step: str = "", **query: str | None) -> str:
        """An address of this page; a teacher who tries the activity stays in that view."""
        asked = {name: value for name, value in query.items() if value}
        if self.launch and self.launch.instructor:
            asked["as"] = "learner"
        return f"{self.path}{step}" + (f"?{urlencode(asked)}" if asked else "")


@blueprint.get("")
def shelves() -> AnyResponse:
    """List what the signed-in person can learn."""
    session, presented = guard.session(), guard.presented_session()
    if session is None or presented is None:
        return _sign_in_first("/learn")
    person, tenant, found = study.shelves(here.deps(), BySession(presented, ""))
    page = render_template("learn_list.html", shelves=found, **_frame(session))
    here.note(person=person.id, tenant=tenant.id)
    return make_response(page)


@blueprint.get("/a/<slug>")
def page(slug: str) -> AnyResponse:
    """The activity's page for a signed-in person."""
    try:
        return _show(_by_session(slug))
    except Unauthenticated:
        return _sign_in_first(f"/learn/a/{slug}")


@blueprint.post("/a/<slug>/begin")
def begin(slug: str) -> AnyResponse:
    """Start the first attempt, or another after a finished one."""
    return _begin(_by_session(slug))


@blueprint.post("/a/<slug>/answer")
def answer(slug: str) -> AnyResponse:
    """Take an answer."""
    return _answer(_by_session(slug))


@blueprint.route("/<launch_id>", methods=["GET", "POST"])
def launched(launch_id: str) -> AnyResponse:
    """The launch's page: the activity for a learner, the course's progress for a teacher.

    A form may post to it with the launch token, where the browser keeps no cookie.
    """
    way = _by_launch(launch_id)
    if way.launch and way.launch.instructor and request.args.get("as") != "learner":
        return _class(way)
    return _show(way)


@blueprint.post("/<launch_id>/begin")
def begin_launched(launch_id: str) -> AnyResponse:
    """Start another attempt after a finished one."""
    return _begin(_by_launch(launch_id))


@blueprint.post("/<launch_id>/answer")
def answer_launched(launch_id: str) -> AnyResponse:
    """Take an answer."""
    return _answer(_by_launch(launch_id))


def _by_session(slug: str) -> Way:
    path = f"/learn/a/{slug}"
    g.way_out = {"href": f"/sso?return_to={quote(path)}", "label": "Sign in"}
    session, presented = guard.signed_in(), guard.presented_session()
    if presented is None:
        raise Unauthenticated("Sign in first.", code="sign_in_first")
    g.way_out = {"href": "/learn", "label": "Your learning"}
    if not _SLUG.fullmatch(slug):
        raise NotFound("There is no such activity here.")
    return Way(BySession(presented, slug), session.id, path, session=session)


def _by_launch(launch_id: str) -> Way:
    g.inside_lms = True
    launch = guard.launched(launch_id)
    if launch.return_url:
        g.way_out = {"href": launch.return_url, "label": "Back to your course"}
    door = ByLaunch(launch.tenant.id, launch.id)
    return Way(door, launch.id, f"/learn/{launch.public_id}", launch=launch)


def _show(way: Way) -> AnyResponse:
    answered = _uuid(request.args.get("answered", ""))
    found = study.look(here.deps(), way.door, answered)
    if way.launch and not found.arrived:
        # A launch is the learner's own act: it needs no second press to begin.
        attempts.begin(here.deps(), way.door)
        found = study.look(here.deps(), way.door, answered)
    return _render(way, found, note=_NOTES.get(request.args.get("note", ""), ""))


def _begin(way: Way) -> AnyResponse:
    guard.check_csrf(way.subject)
    attempts.begin(here.deps(), way.door, after=_uuid(request.form.get("after", "")))
    return _onward(way)


def _answer(way: Way) -> AnyResponse:
    guard.check_csrf(way.subject)
    decision = _uuid(request.form.get("decision", ""))
    if decision is None:
        return _onward(way, note="moved_on")
    given = request.form.getlist("answer")[:_MOST_VALUES]
    try:
        done = attempts.answer(here.deps(), way.door, decision, given, _shown_at(decision))
    except ResponseInvalid as error:
        here.note(error=error.wire_code)
        response = _render(
            way, study.look(here.deps(), way.door), trouble=error.message, given=given
        )
        response.status_code = error.status
        return response
    note = done.outcome if done.outcome in _NOTES else None
    return _onward(way, answered=decision, note=note)


def _onward(way: Way, *, answered: str | None = None, note: str | None = None) -> AnyResponse:
    if way.launch and not _kept_by_cookie(way.launch):
        found = study.look(here.deps(), way.door, answered)
        return _render(way, found, note=_NOTES.get(note or "", ""))
    place = "#feedback" if answered and note != "moved_on" else "#now"
    return redirect(way.url(answered=answered, note=note) + place, 303)


def _kept_by_cookie(launch: Launch) -> bool:
    """Whether this browser brought the launch's cookie, so that it will after a redirect too."""
    deps, secret = here.deps(), guard.known_browser()
    if secret is None:
        return False
    digest = credential.digest(secret.encode())
    with deps.db.read(launch.tenant.id) as read:
        return launches.standing(read, launch.id, digest, deps.clock()) is not None


def _render(
    way: Way, found: Study, *, note: str = "", trouble: str = "", given: list[str] | None = None
) -> AnyResponse:
    name = "learn_done.html"
    if found.attempt is None:
        name = "learn_begin.html"
    elif found.asked is not None:
        name = "learn_question.html"
    shown = _shown(found.asked.decision_id) if found.asked else ""
    return make_response(render_template(
        name, study=found, way=way, note=note, trouble=trouble, given=given or [], shown=shown,
        csrf=guard.csrf_token(way.subject), token=guard.launch_token(way.launch) if way.launch else "",
        **_frame(way.session),
    ))  # fmt: skip


def _class(way: Way) -> AnyResponse:
    if not isinstance(way.door, ByLaunch) or way.launch is None:
        raise NotFound("There is nothing at this address.")
    found = classroom.look(here.deps(), way.door)
    token = guard.launch_token(way.launch)
    return make_response(render_template("learn_class.html", room=found, way=way, token=token))


def _frame(session: Session | None) -> dict[str, Any]:
    """What the frame of a signed-in person's page shows; a launch's page has none."""
    if session is None:
        return {}
    nav = [{"href": "/learn", "label": "Your learning", "here": request.path == "/learn"}]
    return {
        "tenant": session.tenant, "person": session.person, "nav": nav,
        "sign_out_csrf": guard.csrf_token(session.id),
    }  # fmt: skip


def _sign_in_first(path: str) -> AnyResponse:
    return redirect(f"/sso?return_to={quote(path)}", 303)


def _shown(decision: str) -> str:
    """When this page was made, so that the answer's duration is ours to measure and not the page's."""
    millis = int(here.deps().clock().timestamp() * 1000)
    return f"{millis}.{here.deps().seal.mac(_SHOWN, f'{decision} {millis}'.encode())}"


def _shown_at(decision: str) -> datetime | None:
    millis, _, mac = request.form.get("shown", "").partition(".")
    if not here.deps().seal.mac_matches(_SHOWN, f"{decision} {millis}".encode(), mac):
        return None
    return datetime.fromtimestamp(int(millis) / 1000, UTC)


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text)) if len(text) == 36 else None  # noqa: PLR2004 - a UUID's length
    except ValueError:
        return None
