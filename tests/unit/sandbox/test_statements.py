"""The LRS: statements are kept once, whole batches or none, in order of arrival."""

import base64

import pytest

PATH = "/lrs/xapi/statements"
FIRST = "00000000-0000-4000-8000-000000000001"
SECOND = "00000000-0000-4000-8000-000000000002"


def statement(**changed):
    made = {
        "id": FIRST,
        "actor": {"account": {"homePage": "http://127.0.0.1:8000/t/1", "name": "p1"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered"}},
        "object": {"id": "http://127.0.0.1:8000/a/1", "definition": {"name": {"en": "Pricing"}}},
        "result": {"score": {"scaled": 0.5}, "success": True, "duration": "PT1.5S"},
        "timestamp": "2027-01-15T08:00:00.123456789Z",
    } | changed
    return {name: value for name, value in made.items() if value is not None}


@pytest.fixture
def lrs(visit):
    credentials = {"key": "k", "secret": "s:1"}
    assert visit.put("/control/lrs/credentials", json=credentials).status_code == 200

    def call(method, url=PATH, headers=None, **options):
        packed = base64.b64encode(b"k:s:1").decode()
        known = {"Authorization": f"Basic {packed}", "X-Experience-API-Version": "1.0.3"}
        merged = {name: value for name, value in (known | (headers or {})).items() if value}
        return visit.open(url, method=method, headers=merged, **options)

    return call


def kept(visit):
    return [row["kept"]["id"] for row in visit.get("/control/lrs/statements").json]


def test_a_statement_is_kept_as_it_was_sent(lrs):
    assert lrs("POST", json=statement()).json == [FIRST]
    found = lrs("GET", query_string={"statementId": FIRST})
    assert found.headers["X-Experience-API-Version"] == "1.0.3"
    assert "X-Experience-API-Consistent-Through" in found.headers
    assert {**found.json, **statement()} == found.json
    assert found.json["authority"]["account"]["name"] == "k"


def test_the_same_statement_again_is_harmless_and_another_conflicts(lrs, visit):
    for _ in range(2):
        assert lrs("POST", json=[statement()]).status_code == 200
        assert lrs("PUT", f"{PATH}?statementId={FIRST}", json=statement()).status_code == 204
    other = statement(result={"success": False})
    assert lrs("POST", json=other).status_code == 409
    assert lrs("PUT", f"{PATH}?statementId={FIRST}", json=other).status_code == 409
    assert kept(visit) == [FIRST]


def test_a_batch_with_a_conflict_or_a_fault_leaves_nothing(lrs, visit):
    lrs("POST", json=statement())
    clash = [statement(id=SECOND), statement(result={"success": False})]
    assert lrs("POST", json=clash).status_code == 409
    assert lrs("POST", json=[statement(id=SECOND), {"id": FIRST}]).status_code == 400
    assert lrs("POST", json=[statement(id=SECOND), statement(id=SECOND)]).status_code == 400
    assert kept(visit) == [FIRST]


def test_statements_come_back_newest_first_and_stand_in_order_of_arrival(lrs, visit):
    ids = [f"00000000-0000-4000-8000-0000000000{number:02}" for number in range(10, 15)]
    for one in ids:
        lrs("POST", json=statement(id=one))
    assert kept(visit) == ids
    shown = lrs("GET").json["statements"]
    assert [one["id"] for one in shown] == ids[::-1]
    first = lrs("GET", query_string={"limit": 2, "ascending": "true"}).json
    second = lrs("GET", first["more"]).json
    assert [one["id"] for one in first["statements"] + second["statements"]] == ids[:4]


def test_filters_narrow(lrs):
    other = statement(id=SECOND, verb={"id": "http://adlnet.gov/expapi/verbs/passed"})
    lrs("POST", json=[statement(), other])
    query = {"verb": "http://adlnet.gov/expapi/verbs/passed"}
    assert [one["id"] for one in lrs("GET", query_string=query).json["statements"]] == [SECOND]
    assert lrs("GET", query_string={"since": "2030-01-01T00:00:00Z"}).json["statements"] == []
    for wrong in ({"foo": "1"}, {"since": "x"}, {"statementId": FIRST, "limit": 1}):
        assert lrs("GET", query_string=wrong).status_code == 400


def test_a_voided_statement_is_hidden_and_can_still_be_had(lrs):
    lrs("POST", json=statement())
    voiding = statement(
        id=SECOND,
        verb={"id": "http://adlnet.gov/expapi/verbs/voided"},
        object={"objectType": "StatementRef", "id": FIRST},
        result=None,
    )
    assert lrs("POST", json=voiding).status_code == 200
    assert [one["id"] for one in lrs("GET").json["statements"]] == [SECOND]
    assert lrs("GET", query_string={"statementId": FIRST}).status_code == 404
    assert lrs("GET", query_string={"voidedStatementId": FIRST}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": None}, 401),
        ({"Authorization": "Basic x"}, 401),
        ({"Authorization": "Basic " + base64.b64encode(b"k:wrong").decode()}, 401),
        ({"Authorization": "Bearer k:s:1"}, 401),
        ({"X-Experience-API-Version": None}, 400),
        ({"X-Experience-API-Version": "0.9"}, 400),
        ({"X-Experience-API-Version": "2.0.0"}, 200),
    ],
)
def test_credentials_and_a_version_come_first(lrs, headers, status):
    answer = lrs("POST", headers=headers, json=statement())
    assert answer.status_code == status
    assert answer.headers["X-Experience-API-Version"] == ("2.0.0" if status == 200 else "1.0.3")


def test_about_needs_neither(visit):
    assert visit.get("/lrs/xapi/about").json["version"] == ["1.0.3", "2.0.0"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"actor": None},
        {"actor": {}},
        {"actor": {"mbox": "ada@campus.example"}},
        {"actor": {"mbox": "mailto:a@b", "openid": "http://a"}},
        {"actor": {"account": {"homePage": "x", "name": "p"}}},
        {"actor": {"account": {"homePage": "http://x", "name": ""}}},
        {"actor": []},
        {"verb": None},
        {"verb": {"id": "answered"}},
        {"verb": {"id": "http://v", "display": {"en": 1}}},
        {"object": None},
        {"object": {"id": "pricing"}},
        {"object": {"id": "http://o", "objectType": "Thing"}},
        {"object": {"id": "http://o", "definition": {"interactionType": "guess"}}},
        {"id": "1"},
        {"id": 7},
        {"timestamp": "yesterday"},
        {"timestamp": "2027-02-30T00:00:00Z"},
        {"result": {"score": {"scaled": 2}}},
        {"result": {"score": {"scaled": "1"}}},
        {"result": {"score": {"raw": 5, "min": 0, "max": 1}}},
        {"result": {"success": "yes"}},
        {"result": {"duration": "90s"}},
        {"result": {"duration": "PT"}},
        {"result": {"extensions": {"short": 1}}},
        {"context": {"registration": "x"}},
        {"context": {"contextActivities": {"child": []}}},
        {"context": {"contextActivities": {"parent": [{}]}}},
        {"attachments": [{}]},
        {"foo": 1},
    ],
)
def test_what_is_no_statement_is_refused(lrs, visit, wrong):
    answer = lrs("POST", json=statement(**wrong))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_statement")
    assert kept(visit) == []


@pytest.mark.parametrize("text", [b"", b"{", b"1", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_no_json_is_refused(lrs, text):
    assert lrs("POST", data=text, content_type="application/json").status_code == 400


def test_put_names_its_statement(lrs):
    assert lrs("PUT", json=statement()).status_code == 400
    assert lrs("PUT", f"{PATH}?statementId={SECOND}", json=statement()).status_code == 400
    assert lrs("PUT", f"{PATH}?statementId={SECOND}", json=[]).status_code == 400
    assert lrs("PUT", f"{PATH}?statementId={SECOND}", json=statement(id=None)).status_code == 204


def test_the_page_tells_them_in_words_and_escapes_them(lrs, visit):
    lrs("POST", json=statement(actor={"name": "<b>Ada", "mbox": "mailto:a@b.example"}))
    page = visit.get("/lrs/").text
    assert "&lt;b&gt;Ada" in page
    assert "<b>Ada" not in page
    assert "<strong>answered</strong> Pricing" in page
