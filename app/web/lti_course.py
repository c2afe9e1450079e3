"""Pages between launch and activity: choosing what a link leads to, and who is on the course."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import launch as launching
from app.flows import roster
from app.kernel.errors import Refused
from app.store import activities, launches
from app.store.launches import Launch
from app.web import guard, here
from lti import roles

blueprint = Blueprint("lti_course", __name__)


@blueprint.get("/activity/<launch_id>")
def activity(launch_id: str) -> str | AnyResponse:
    """Let a teacher choose the link's activity; tell a learner that none was chosen."""
    launch = guard.launched(launch_id)
    if launch.activity_id and not launch.instructor:
        return redirect(f"/learn/{launch.public_id}", 303)
    offered: list[activities.Published] = []
    if launch.instructor:
        with here.deps().db.read(launch.tenant.id) as read:
            offered = activities.listed(read)
    return render_template(
        "lti_activity.html", launch=launch, offered=offered, csrf=guard.csrf_token(launch.id),
        token=guard.launch_token(launch),
    )  # fmt: skip


@blueprint.post("/activity/<launch_id>")
def choose(launch_id: str) -> AnyResponse:
    """Keep a teacher's choice for this link, and open it."""
    launch = _teacher(launch_id)
    guard.check_csrf(launch.id)
    deps = here.deps()
    launching.pick(deps, launch, request.form.get("activity", "")[:64], deps.clock())
    return redirect(f"/learn/{launch.public_id}", 303)


@blueprint.get("/members/<launch_id>")
def members(launch_id: str) -> str:
    """Show a teacher who is on the course, and who has been here."""
    launch = _teacher(launch_id)
    deps = here.deps()
    found = roster.members(deps, launch)
    with deps.db.read(launch.tenant.id) as read:
        seen = launches.last_by_user(read, launch.registration_id, launch.context_id or "")
    rows = [
        {
            "name": one.name or one.email or one.user_id,
            "role": "Teacher" if roles.is_instructor(one.roles) else "Learner",
            "status": one.status.value,
            "seen": seen.get(one.user_id),
        }
        for one in found
    ]
    return render_template("lti_members.html", launch=launch, rows=rows)


def _teacher(launch_id: str) -> Launch:
    launch = guard.launched(launch_id)
    if not launch.instructor:
        raise Refused("This page is for the teachers of the course.", code="not_an_instructor")
    return launch
