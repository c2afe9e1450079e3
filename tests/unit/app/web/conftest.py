"""The gateway with one tenant, one activity and one learning platform."""

import pytest
from flask.testing import FlaskClient

from app.factory import create_app
from app.flows import tenancy
from app.store import activities
from tests.lti_platform import Lms, Neighbours, with_http


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
def activity(deps, tenant):
    """A row is enough here: nothing opens it."""
    with deps.db.tx(tenant.id) as tx:
        activities.add(
            tx, "0198c0de-0000-7000-8000-000000000001", "pricing", "Pricing", deps.clock()
        )
    return "0198c0de-0000-7000-8000-000000000001"


@pytest.fixture
def lms(deps, tenant, activity, http):
    return Lms(deps, http).register("acme")


@pytest.fixture
def site(deps):
    """The gateway; pytest-flask's `app` would share one `g` among all requests."""
    made = create_app(deps)
    made.testing = True
    return made


@pytest.fixture
def browser(site):
    return lambda: FlaskClient(site, site.response_class, use_cookies=True)
