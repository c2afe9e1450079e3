"""The launch: the platform's word verified, and one session opened (LTI 1.3 Core §5).

    web ── lti_login.begin ─▶ platform ── id_token, state ─▶ lti_login.begun ─▶ verify ─▶ enter ─▶ /learn

`enter` is the one write transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.deps import Deps
from app.flows import documents, join
from app.flows.lti_login import Begun
from app.kernel import credential
from app.kernel.errors import NeighbourFailed, Refused, Unavailable
from app.kernel.tenant import TenantId
from app.store import activities, courses, launches, once, platforms, tenants
from app.store.courses import Place, Seen
from app.store.db import Tx
from app.store.launches import Launch
from app.store.platforms import Deployed, Platform
from keys import jwk, jwt
from keys.errors import BadKey, TokenRefused
from lti import claims as names
from lti import launch as lti_launch
from lti import login
from lti.errors import LaunchRefused, UnknownDeployment, UnknownKid
from lti.launch import VerifiedLaunch
from lti.registration import Deployment


@dataclass(frozen=True, slots=True)
class Verified:
    """A launch that holds, from a deployment approved into `tenant`."""

    begun: Begun
    launch: VerifiedLaunch
    deployed: Deployed
    tenant: TenantId


@dataclass(frozen=True, slots=True)
class Launched:
    """A session that has begun; `activity_id` None where the link asks for none and none was picked."""

    public_id: str
    tenant: TenantId
    person_id: str
    activity_id: str | None


def verify(deps: Deps, it: Begun, id_token: str, browser: str) -> Verified:
    """Verify the platform's word against the login that this browser began.

    Raises LaunchRefused, and NeighbourFailed where the platform's keys can't be had. A genuine launch
    from a deployment that nobody approved is refused and remembered, for an administrator to approve.
    """
    login.check_browser(it.state, browser)
    if not it.platform.enabled:
        raise LaunchRefused("platform_disabled", "This platform is switched off here.")
    deployed = _deployed(deps, it.platform, id_token)
    try:
        launch = _verified(deps, it, id_token, deployed)
    except UnknownDeployment as unknown:
        registration_id = it.platform.registration.id
        with deps.db.system(write=True) as system:
            platforms.wait(
                system, deps.ids.new(), registration_id, unknown.deployment_id, deps.clock()
            )
        raise
    if deployed is None or deployed.tenant_id is None:
        raise UnknownDeployment(launch.deployment_id)
    return Verified(it, launch, deployed, deployed.tenant_id)


def enter(deps: Deps, it: Verified, browser: str) -> Launched:
    """Open the session: the state is claimed once, and everything is read again as it is now.

    Raises LaunchRefused (used before), Refused (tenant, platform, deployment or person is switched
    off) and Refused `unknown_activity`.
    """
    now, launch, state = deps.clock(), it.launch, it.begun.state
    registration_id, launch_id = it.begun.platform.registration.id, deps.ids.new()
    with deps.db.tx(it.tenant) as tx:
        # The nonce is the state's own, so one claim uses up both.
        if not once.claim(tx, "lti_state", state.jti, state.expires_at):
            raise LaunchRefused(
                "replayed", "This launch was used already. Please open the link again."
            )
        if not platforms.open_for(tx, registration_id, it.deployed.id, state.created_at):
            raise Refused("Launches from here are switched off.", code="launches_disabled")
        stranger = _stranger(tx, it, launch_id)
        identity, person = join.admit(deps, tx, stranger, now)
        place = courses.settle(tx, _seen(it), deps.ids.new, now)
        activity_id = _activity(tx, launch, place)
        launches.add(
            tx, launch_id, now, now + timedelta(hours=deps.settings.launch_hours),
            registration_id=registration_id, deployment_id=it.deployed.id, person_id=person.id,
            identity_id=identity.id, context_id=place.context_id,
            resource_link_id=place.resource_link_id, line_item_id=place.line_item_id,
            activity_id=activity_id, user_id=launch.sub, roles=launch.roles,
            browser_digest=credential.digest(browser.encode()),
            return_url=launch.presentation.return_url, begun_at=state.created_at,
        )  # fmt: skip
    return Launched(credential.scoped(it.tenant, launch_id), it.tenant, person.id, activity_id)


def pick(deps: Deps, launch: Launch, activity_id: str, now: datetime) -> None:
    """Let a teacher's link lead to an activity, from this launch on; raises Refused."""
    with deps.db.tx(launch.tenant.id) as tx:
        here = launches.standing(tx, launch.id, None, now)
        if here is None or not here.instructor or here.resource_link_id is None:
            raise Refused("Only a teacher of this course may choose.", code="not_an_instructor")
        if activities.get(tx, activity_id) is None:
            raise Refused("There is no such activity.", code="unknown_activity")
        if here.activity_id not in {None, courses.picked(tx, here.resource_link_id)}:
            raise Refused("The link names its activity itself.", code="named_by_link")
        courses.pick(tx, here.resource_link_id, activity_id, now)
        launches.open_activity(tx, here.id, activity_id)


def _deployed(deps: Deps, platform: Platform, id_token: str) -> Deployed | None:
    """Look up the deployment that the token names, before it is verified: it only picks a row."""
    try:
        named = jwt.unverified(id_token).claims.get(names.DEPLOYMENT_ID)
    except TokenRefused:
        return None
    if not isinstance(named, str) or len(named) > names.MAX_ID:
        return None
    with deps.db.system() as system:
        found = platforms.deployed(system, platform.registration.id, named)
    return found if found is not None and found.approved_at is not None else None


def _verified(deps: Deps, it: Begun, id_token: str, deployed: Deployed | None) -> VerifiedLaunch:
    approved = [Deployment(deployed.deployment_id, deployed.anonymous)] if deployed else []

    def attempt(*, newer: bool) -> VerifiedLaunch:
        return lti_launch.verify(
            id_token, registration=it.platform.registration, jwks=_keys(deps, it.platform, newer=newer),
            state=it.state, deployments=approved, now=deps.clock(),
            leeway=timedelta(seconds=deps.settings.clock_leeway_seconds),
        )  # fmt: skip

    try:
        return attempt(newer=False)
    except UnknownKid:
        # The platform may have a new key since we last looked.
        return attempt(newer=True)


def _keys(deps: Deps, platform: Platform, *, newer: bool) -> jwk.KeySet:
    url = platform.registration.jwks_url
    try:
        return jwk.parse_jwks(documents.fetch(deps, url, newer=newer, readable=_is_key_set))
    except Unavailable as error:
        if error.wire_code != "fetch_failed":
            raise
        raise NeighbourFailed(
            f"The platform's keys can't be read just now; try again in a moment. {error.message}",
            code="platform_keys_unavailable",
            retry_after=error.retry_after,
        ) from error
    except BadKey as error:
        # What is kept of this address was fetched as something else, such as a provider's metadata.
        raise NeighbourFailed(
            "The platform's address for its keys leads to something else. Tell your administrator.",
            code="platform_keys_unavailable",
        ) from error


def _is_key_set(body: bytes) -> bool:
    try:
        jwk.parse_jwks(body)
    except BadKey:
        return False
    return True


def _stranger(tx: Tx, it: Verified, launch_id: str) -> join.Stranger:
    launch, platform = it.launch, it.begun.platform
    said = {
        "display_name": launch.name,
        "given_name": launch.given_name,
        "family_name": launch.family_name,
        "email": launch.email,
        "locale": launch.presentation.locale or launch.locale,
    }
    # An anonymous launch is a person of its own, for as long as it lasts.
    subject = launch.sub or f"anonymous {launch_id}"
    candidates = _candidates(tx, platform.link_by, launch)
    begun_at = it.begun.state.created_at
    return join.Stranger("lti", platform.registration.id, subject, said, begun_at, candidates)


def _candidates(tx: Tx, link_by: str, launch: VerifiedLaunch) -> list[tuple[str, str]]:
    """By which values the platform's rule finds a person whom we know already."""
    if link_by == "sourcedid" and launch.lis.person_sourcedid:
        return [("externalId", launch.lis.person_sourcedid)]
    if link_by == "email" and launch.email:
        # An address means a person only where the tenant has proved that the domain is its own.
        domain = launch.email.rpartition("@")[2].casefold()
        return [("email", launch.email)] if domain in tenants.verified_domains(tx) else []
    return []


def _seen(it: Verified) -> Seen:
    launch, context, ags = it.launch, it.launch.context, it.launch.ags
    return Seen(
        registration_id=it.begun.platform.registration.id,
        deployment_row=it.deployed.id,
        resource_link_id=launch.resource_link.id,
        link_title=launch.resource_link.title,
        context_id=context.id if context else None,
        context_label=context.label if context else None,
        context_title=context.title if context else None,
        memberships_url=launch.nrps.context_memberships_url if launch.nrps else None,
        line_item_url=ags.lineitem if ags else None,
        lineitems_url=ags.lineitems if ags else None,
        scopes=ags.scopes if ags else (),
    )


def _activity(tx: Tx, launch: VerifiedLaunch, place: Place) -> str | None:
    """Resolve what the link asks for by slug, else what a teacher picked for it."""
    slug = launch.custom_value("activity")
    if slug is None:
        return place.activity_id
    found = activities.by_slug(tx, slug)
    if found is None:
        raise Refused(
            f"This link asks for the activity “{slug[:80]}”, which does not exist here. "
            "Tell your teacher or administrator.",
            code="unknown_activity",
        )
    return found.id
