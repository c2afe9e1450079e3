"""Local accounts: passwords, bounded tries, and nothing told about who exists."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from app.flows import local, tenancy, upkeep
from app.flows.tries import Visit
from app.kernel import credential
from app.kernel.errors import Conflict, Invalid, NotFound, Refused, Throttled
from app.kernel.person import Person, told
from app.store import passwords, people, sessions
from tests.flows.conftest import hidden
from tests.flows.test_signin import who
from tests.provisioning import arrived_by

EMAIL, PASSWORD = "root@acme.example", "correct horse battery"


@pytest.fixture
def administrator(deps, tenant):
    return local.create_administrator(deps, "acme", EMAIL, PASSWORD)


HERE = Visit("a browser", "192.0.2.1")
WRONG = "wrong password"


def sign_in(
    browser, email=EMAIL, password=PASSWORD, organization="acme", address="127.0.0.1", **more
):
    form = hidden(browser.get("/login").text) | {
        "email": email, "password": password, "organization": organization, **more,
    }  # fmt: skip
    return browser.post("/login", data=form, environ_overrides={"REMOTE_ADDR": address})


def test_an_administrator_signs_in_and_lands_in_the_console(gateway, administrator):
    browser = gateway()
    answer = sign_in(browser)
    assert (answer.status_code, answer.location) == (303, "/admin")
    me = browser.get("/api/v1/me").json
    assert (me["via"], me["person"]["id"]) == ("local", administrator.id)
    assert browser.get("/admin").status_code == 200


def test_the_address_and_the_organization_count_in_any_case(gateway, administrator):
    answer = sign_in(gateway(), email=" ROOT@Acme.example ", organization=" ACME ")
    assert answer.status_code == 303


def test_a_verified_domain_stands_for_the_organization(deps, gateway, administrator):
    assert sign_in(gateway(), organization="").status_code == 403
    tenancy.vouch_for_domain(deps, "acme", "acme.example", verified=True)
    assert sign_in(gateway(), organization="").status_code == 303


@pytest.mark.parametrize(
    "given",
    [
        {"password": "correct horse batterz"},
        {"password": ""},
        {"password": "x" * 100_000},
        {"email": "nobody@acme.example"},
        {"email": "not an address"},
        {"email": "root@acme.example\x00"},
        {"organization": "globex"},
        {"organization": "\x00"},
        {"organization": "nowhere"},
    ],
)
def test_whatever_is_wrong_the_answer_is_the_same(gateway, administrator, other_tenant, given):
    browser = gateway()
    answer = sign_in(browser, **given)
    assert answer.status_code == 403
    assert local._WRONG in answer.text
    assert who(browser) == 401


def test_an_unknown_account_costs_as_much_as_a_wrong_password(deps, administrator, monkeypatch):
    checked = []
    real = local.check_password_hash
    monkeypatch.setattr(
        local, "check_password_hash", lambda kept, given: checked.append(kept) or real(kept, given)
    )
    for slug, email in (("acme", EMAIL), ("acme", "nobody@acme.example"), ("nowhere", EMAIL)):
        with pytest.raises(Refused):
            local.sign_in(deps, slug, email, "a wrong password", None, HERE)
    assert len({kept.partition("$")[0] for kept in checked}) == 1
    assert len(checked) == 3


@pytest.mark.parametrize("email", [EMAIL, "nobody@acme.example"])
def test_the_eleventh_try_waits_known_or_not(deps, gateway, administrator, clock, email):
    for _ in range(10):
        assert sign_in(gateway(), email=email, password="wrong password").status_code == 403
    answer = sign_in(gateway(), email=email)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert sign_in(gateway(), email=email.upper()).status_code == 429
    clock.move(minutes=15)
    assert sign_in(gateway(), email=email).status_code == (303 if email == EMAIL else 403)


def test_tries_from_elsewhere_lock_nobody_out(gateway, administrator):
    for _ in range(10):
        assert sign_in(gateway(), password=WRONG, address="203.0.113.9").status_code == 403
    assert sign_in(gateway(), address="203.0.113.9").status_code == 429
    assert sign_in(gateway()).status_code == 303


def test_an_ipv6_network_counts_as_one_address(gateway, administrator):
    for n in range(10):
        sign_in(gateway(), password=WRONG, address=f"2001:db8:1:2::{n:x}")
    assert sign_in(gateway(), address="2001:db8:1:2:ffff::1").status_code == 429
    assert sign_in(gateway(), address="2001:db8:1:3::1").status_code == 303


def try_from_everywhere(gateway, times):
    return [
        sign_in(gateway(), password=WRONG, address=f"203.0.113.{n}").status_code
        for n in range(times)
    ]


def test_tries_from_everywhere_slow_each_other_down_and_lock_nobody_out(
    gateway, administrator, clock
):
    assert try_from_everywhere(gateway, 40) == [403] * 30 + [429] * 10
    answer = sign_in(gateway())
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    for _ in range(3):
        clock.move(seconds=10)
        assert try_from_everywhere(gateway, 2) == [403, 429]
    clock.move(seconds=10)
    assert sign_in(gateway()).status_code == 303


def test_a_browser_that_signed_in_before_gets_in_whatever_others_try(gateway, administrator):
    known = gateway()
    assert sign_in(known).status_code == 303
    for _ in range(10):
        sign_in(gateway(), password=WRONG)
    try_from_everywhere(gateway, 40)
    assert sign_in(gateway()).status_code == 429
    assert sign_in(known).status_code == 303
    assert sign_in(known, address="198.51.100.7").status_code == 303


def test_a_browser_that_signed_in_before_has_tries_of_its_own(gateway, administrator):
    known = gateway()
    sign_in(known)
    for n in range(10):
        assert sign_in(known, password=WRONG, address=f"203.0.113.{n}").status_code == 403
    assert sign_in(known).status_code == 429
    assert sign_in(gateway()).status_code == 303


def test_a_browser_is_known_for_ninety_days_after_its_last_sign_in(
    deps, gateway, administrator, clock
):
    known = gateway()
    assert sign_in(known).status_code == 303
    for days, answer in ((60, 303), (60, 303), (91, 429)):
        clock.move(days=days)
        upkeep.forget(deps)
        try_from_everywhere(gateway, 31)
        assert sign_in(known).status_code == answer
    kept = known.get_cookie("ostiary_browser", domain="127.0.0.1")
    assert kept.max_age == 90 * 86400  # the browser must know, too


def test_a_new_password_forgets_the_tries_and_the_browsers(deps, gateway, administrator):
    known, new = gateway(), "another long password"
    sign_in(known)
    for _ in range(10):
        sign_in(gateway(), password=WRONG)
    local.set_password(deps, "acme", EMAIL, new)
    assert sign_in(gateway(), password=new).status_code == 303
    for _ in range(10):
        sign_in(gateway(), password=WRONG)
    assert sign_in(known, password=new).status_code == 429


def test_one_accounts_tries_do_not_close_another(deps, gateway, administrator, other_tenant):
    local.create_administrator(deps, "acme", "second@acme.example", PASSWORD)
    local.create_administrator(deps, "globex", EMAIL, PASSWORD)
    for _ in range(10):
        sign_in(gateway(), password="wrong password")
    assert sign_in(gateway(), email="second@acme.example").status_code == 303
    assert sign_in(gateway(), organization="globex").status_code == 303


def test_a_success_forgets_the_failures(gateway, administrator):
    for _ in range(3):
        for _ in range(9):
            sign_in(gateway(), password="wrong password")
        assert sign_in(gateway()).status_code == 303


def test_tries_at_once_stay_within_the_bound(deps, administrator, monkeypatch):
    monkeypatch.setattr(local, "check_password_hash", lambda *_: False)

    def guess(number):
        with pytest.raises((Refused, Throttled)) as refused:
            local.sign_in(deps, "acme", EMAIL, f"guess {number}", None, HERE)
        return refused.type

    with ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(guess, range(24)))
    assert kinds.count(Refused) == 10


def test_a_form_of_another_browser_or_site_is_refused(gateway, administrator):
    other, mine = gateway(), gateway()
    stolen = hidden(other.get("/login").text)
    mine.get("/login")
    form = {"email": EMAIL, "password": PASSWORD, "organization": "acme"}
    assert mine.post("/login", data=form).status_code == 403
    assert mine.post("/login", data=form | stolen).status_code == 403
    assert gateway().post("/login", data=form | stolen).status_code == 403
    own = hidden(mine.get("/login").text)
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert mine.post("/login", data=form | own, headers=foreign).status_code == 403
    assert who(mine) == 401


@pytest.mark.parametrize(
    ("asked", "given"),
    [("/learn", "/learn"), ("//evil.example", "/admin"), ("https://evil.example", "/admin"),
     ("/\\evil.example", "/admin"), ("", "/admin")],
)  # fmt: skip
def test_the_way_back_stays_on_our_site(gateway, administrator, asked, given):
    assert sign_in(gateway(), return_to=asked).location == given


def test_who_is_switched_off_stays_outside_with_the_right_password(
    deps, gateway, tenant, administrator
):
    with deps.db.tx(tenant.id) as tx:
        people.save(tx, replace(administrator, active=False), deps.clock())
    answer = sign_in(gateway())
    assert (answer.status_code, "switched off" in answer.text) == (403, True)


def test_a_closed_tenant_lets_nobody_in(deps, gateway, administrator):
    tenancy.enable(deps, "acme", enabled=False)
    assert sign_in(gateway()).status_code == 403


def test_a_person_without_a_password_has_no_way_in_here(deps, gateway, tenant):
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, Person(deps.ids.new(), user_name=EMAIL, email=EMAIL), deps.clock())
    assert sign_in(gateway(), password="").status_code == 403


def test_each_sign_in_is_a_new_session_and_ends_the_one_before(gateway, administrator):
    browser, with_the_old_one = gateway(), gateway()
    sign_in(browser)
    with_the_old_one.give("ostiary_session", browser.cookie("ostiary_session"))
    sign_in(browser)
    assert who(with_the_old_one) == 401
    assert who(browser) == EMAIL


def test_a_new_password_ends_the_sessions_and_the_old_password(deps, gateway, administrator):
    browser = gateway()
    sign_in(browser)
    local.set_password(deps, "acme", EMAIL, "another long password")
    assert who(browser) == 401
    assert sign_in(gateway()).status_code == 403
    assert sign_in(gateway(), password="another long password").status_code == 303


def test_a_new_password_ends_a_session_that_the_old_one_is_just_beginning(
    deps, tenant, administrator
):
    now = deps.clock()
    change = threading.Thread(
        target=local.set_password, args=(deps, "acme", EMAIL, "another long password")
    )
    with deps.db.tx(tenant.id) as tx:
        people.lock(tx, administrator.id)
        session, secret = deps.ids.new(), deps.ids.secret()
        sessions.add(tx, session, administrator.id, secret, "local", now, now + timedelta(hours=1))
        change.start()
        change.join(1)  # as far as it gets: it must wait for us
    change.join()
    presented = credential.parse("", credential.mint("", tenant.id, session, secret))
    with deps.db.read(tenant.id) as read:
        assert sessions.standing(read, presented, now) is None


def test_the_password_is_kept_as_a_salted_hash(deps, tenant, administrator):
    with deps.db.read(tenant.id) as read:
        kept = passwords.get(read, administrator.id)
    assert kept.startswith("scrypt:")
    assert PASSWORD not in kept


def test_whom_provisioning_brought_becomes_administrator_as_the_same_person(deps, tenant):
    known = told(Person(deps.ids.new()), {"user_name": "Root@Acme.Example"}, "scim:x", deps.clock())
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, known, deps.clock())
    assert local.create_administrator(deps, "acme", EMAIL, PASSWORD).id == known.id


def test_who_merely_signed_in_under_the_address_does_not_become_administrator(deps, tenant):
    arrived_by("oidc", deps, tenant, EMAIL, "email")
    with pytest.raises(Conflict, match="no rule says"):
        local.create_administrator(deps, "acme", EMAIL, PASSWORD)


@pytest.mark.parametrize(
    ("slug", "email", "password", "error"),
    [("acme", EMAIL, PASSWORD, Conflict), ("acme", EMAIL.upper(), PASSWORD, Conflict),
     ("acme", "x", PASSWORD, Invalid), ("acme", "a@b.example", "short", Invalid),
     ("acme", "a@b.example", "x" * 201, Invalid), ("nowhere", EMAIL, PASSWORD, NotFound)],
)  # fmt: skip
def test_what_can_not_become_an_account(deps, administrator, slug, email, password, error):
    with pytest.raises(error):
        local.create_administrator(deps, slug, email, password)
