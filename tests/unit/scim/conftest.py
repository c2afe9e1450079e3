from copy import deepcopy

import pytest

from scim.schemas import ENTERPRISE_URN

BABS = {
    "userName": "bjensen@example.com",
    "externalId": "Ext-1",
    "active": True,
    "name": {"givenName": "Barbara", "familyName": "Jensen"},
    "title": "Tour Guide",
    "emails": [
        {"value": "Babs@Work.example", "type": "work", "primary": True},
        {"value": "babs@home.example", "type": "home"},
    ],
    ENTERPRISE_URN: {
        "employeeNumber": "701984",
        "department": "Tours",
        "manager": {"value": "m-1"},
    },
}


@pytest.fixture
def babs():
    return deepcopy(BABS)
