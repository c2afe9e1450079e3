"""Between launch and activity: choosing what a link leads to."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import launch as launching
from app.store import activities, courses
from app.web import guard, here

blueprint = Blueprint("lti_course", __name__)


@blueprint.get("/activity/<launch_id>")
def activity(launch_id: str) -> str | AnyResponse:
    """Let a teacher choose the link's activity; tell a learner that none was chosen."""
    launch = guard.launched(launch_id)
    if launch.activity_id and not launch.instructor:
        return redirect(f"/learn/{launch.public_id}", 303)
    with here.deps().db.read(launch.tenant.id) as read:
        picked = courses.picked(read, launch.resource_link_id or "")
        offered = activities.listed(read) if launch.instructor else []
    return render_template(
        "lti_activity.html", launch=launch, offered=offered, csrf=guard.csrf_token(launch.id),
        token=guard.launch_token(launch), named_by_link=launch.activity_id not in {None, picked},
    )  # fmt: skip


@blueprint.post("/activity/<launch_id>")
def choose(launch_id: str) -> AnyResponse:
    """Keep a teacher's choice for this link, and open it."""
    launch = guard.launched(launch_id)
    guard.check_csrf(launch.id)
    deps = here.deps()
    picked = request.form.get("activity", type=UUID)
    launching.pick(deps, launch, str(picked or ""), deps.clock())
    # Without a cookie the form goes on as it is, with the launch token in it.
    return redirect(f"/learn/{launch.public_id}", 303 if guard.known_browser() else 307)
