"""The LMS's pages: the course, an activity in a frame or a window, the gradebook."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.campus import Campus, here
from sandbox.errors import Refused
from sandbox.lms import launch
from sandbox.lms.course import LABEL, TITLE, find_link, flavour, gradebook
from sandbox.people import Person, members
from sandbox.store import Json
from sandbox.web import form_post, with_query

pages = Blueprint("lms", __name__, url_prefix="/lms")

_COOKIE = "campus_lms"


@pages.get("/")
def course() -> str:
    campus = here()
    return render_template(
        "lms_course.html",
        course=TITLE,
        label=LABEL,
        links=campus.store.all("link"),
        people=members(campus.people),
        grades=_grades(campus),
        tool=campus.store.get("tool", "tool"),
        flavour=flavour(campus).name,
    )


@pages.get("/gradebook")
def gradebook_page() -> str:
    campus = here()
    return render_template(
        "lms_gradebook.html",
        course=TITLE,
        items=campus.store.all("line_item"),
        learners=[one for one in members(campus.people) if not one.teacher],
        grades=_grades(campus),
    )


@pages.get("/return")
def came_back() -> str:
    """Where a tool sends people back to, with words for them or for its log (LTI 1.3 §5.4.5)."""
    names = ("lti_msg", "lti_log", "lti_errormsg", "lti_errorlog")
    said = {name: request.args[name][:500] for name in names if name in request.args}
    return render_template("lms_return.html", said=said)


@pages.get("/links/<key>/view")
def view(key: str) -> str:
    campus = here()
    person = _person(campus)
    return render_template("lms_view.html", link=find_link(campus, key), person=person)


@pages.get("/links/<key>/initiate")
def initiate(key: str) -> AnyResponse:
    """Begin a launch as one of the cast; this is the page that a frame or a new window loads."""
    campus = here()
    target = "iframe" if request.args.get("target") == "iframe" else "window"
    started, browser = begin(campus, _person(campus), key, target)
    response: AnyResponse
    if started["method"] == "GET":
        response = redirect(with_query(started["url"], started["fields"]), 302)
    else:
        response = make_response(form_post(started["url"], started["fields"]))
    remember(response, browser)
    return response


@pages.route("/auth", methods=["GET", "POST"])
def auth() -> Response:
    """The authorization endpoint (OIDC Core §3.2.2, with form_post)."""
    asked = request.form if request.method == "POST" else request.args
    answer = launch.authorize(here(), asked, request.cookies.get(_COOKIE))
    return make_response(form_post(answer["url"], answer["fields"]))


def begin(campus: Campus, person: Person, key: str, target: str) -> tuple[Json, str]:
    """(the initiation, the browser's mark that it is bound to)."""
    browser = request.cookies.get(_COOKIE) or secrets.token_urlsafe(16)
    return launch.start(campus, person, key, target, browser), browser


def remember(response: AnyResponse, browser: str) -> None:
    response.set_cookie(_COOKIE, browser, httponly=True, samesite="Lax", path="/lms")


def _person(campus: Campus) -> Person:
    person = campus.people.get(request.args.get("as", ""))
    if person is None or not person.enrolled:
        raise Refused(404, "not_found", "nobody of that name is on this course")
    return person


def _grades(campus: Campus) -> dict[tuple[str, str], Json]:
    """Cells by (line item, user)."""
    return {(cell["line_item"], cell["user"]): cell for cell in gradebook(campus)}
