"""Founding tenants, their domains, tokens and keys."""

from datetime import timedelta

import pytest

from app.flows import rings, tenancy
from app.kernel import credential
from app.kernel.errors import Conflict, Invalid, NotFound
from app.kernel.tenant import OPERATOR
from app.store import audit, signing_keys, tokens
from keys import jwk, jwt
from keys.errors import RotationPending
from keys.jwk import parse_jwks


@pytest.fixture
def acme(deps):
    return tenancy.found(deps, "acme", "Acme")


def test_a_tenant_has_a_home_page_of_its_own_and_a_key_that_signs(deps, acme):
    assert acme.home_page == f"{deps.settings.base_url}/t/{acme.id}"
    signed = jwt.sign({"iss": "x"}, rings.signing_key(deps, "acme"))
    assert len(rings.jwks(deps, "acme")["keys"]) == 1
    assert "d" not in rings.jwks(deps, "acme")["keys"][0]
    assert signed.count(".") == 2


@pytest.mark.parametrize(
    "slug", ["", "a", "Acme", "1acme", "acme-", "a" * 41, "ac me", "acme/x", OPERATOR, "acmé"]
)
def test_a_slug_is_plain(deps, slug):
    with pytest.raises(Invalid):
        tenancy.found(deps, slug, "Acme")


def test_a_slug_is_taken_once(deps, acme):
    with pytest.raises(Conflict):
        tenancy.found(deps, "acme", "Another")


def test_a_domain_belongs_to_the_tenant_that_verified_it(deps, acme):
    tenancy.found(deps, "globex", "Globex")
    tenancy.vouch_for_domain(deps, "acme", "Example.ORG", verified=True)
    with pytest.raises(Conflict):
        tenancy.vouch_for_domain(deps, "globex", "example.org", verified=True)
    tenancy.vouch_for_domain(deps, "acme", "example.org", verified=True)
    for bad in ("", "example", "-x.org", "a@b.org", "x" * 300 + ".org", "exa mple.org"):
        with pytest.raises(Invalid):
            tenancy.vouch_for_domain(deps, "acme", bad, verified=True)


def standing(deps, text, kind="scim"):
    presented = credential.parse(f"ost_{kind}_", text)
    with deps.db.read(presented.tenant) as read:
        return tokens.standing(read, presented, kind, deps.clock())


def test_a_token_stands_until_it_is_revoked_or_its_tenant_is_disabled(deps, acme):
    token_id, text = tenancy.issue_token(deps, "acme", "scim", "entra")
    assert text.startswith("ost_scim_")
    assert standing(deps, text).client == "entra"
    tenancy.enable(deps, "acme", enabled=False)
    assert standing(deps, text) is None
    tenancy.enable(deps, "acme", enabled=True)
    assert standing(deps, text) is not None
    tenancy.revoke_token(deps, "acme", token_id)
    assert standing(deps, text) is None
    with pytest.raises(NotFound):
        tenancy.revoke_token(deps, "acme", token_id)
    with deps.db.read(acme.id) as read:
        assert {row["action"] for row in audit.about(read, token_id)} == {
            "token.issued",
            "token.revoked",
        }


def test_a_token_with_another_tenant_or_secret_written_in_is_nothing(deps, acme):
    globex = tenancy.found(deps, "globex", "Globex")
    token_id, text = tenancy.issue_token(deps, "acme", "scim")
    secret = credential.parse("ost_scim_", text).secret
    assert standing(deps, credential.mint("ost_scim_", globex.id, token_id, secret)) is None
    assert standing(deps, credential.mint("ost_scim_", acme.id, token_id, b"x" * 24)) is None


def test_rotation_publishes_first_signs_later_and_retires_last(deps, acme, clock):
    overlap = timedelta(hours=deps.settings.key_overlap_hours)
    old = rings.signing_key(deps, "acme")
    rings.rotate(deps, "acme")
    cached = rings.jwks(deps, "acme")
    assert len(cached["keys"]) == 2
    assert rings.signing_key(deps, "acme").kid == old.kid
    with pytest.raises(RotationPending):
        rings.rotate(deps, "acme")
    clock.now += overlap
    new = rings.signing_key(deps, "acme")
    assert new.kid != old.kid
    assert {key["kid"] for key in cached["keys"]} == {old.kid, new.kid}, (
        "a cached set knows the new key"
    )
    assert old.kid in {key["kid"] for key in rings.jwks(deps, "acme")["keys"]}
    clock.now += overlap
    assert [key["kid"] for key in rings.jwks(deps, "acme")["keys"]] == [new.kid]
    rings.rotate(deps, "acme")
    with deps.db.system() as system:
        assert old.kid not in {key.kid for key in signing_keys.of_owner(system, "acme")}, "erased"


def test_a_cached_key_set_verifies_at_every_moment_of_a_rotation(deps, acme, clock):
    import json

    rings.rotate(deps, "acme")
    step = timedelta(hours=deps.settings.key_overlap_hours) / 4
    history = []
    for _ in range(12):
        history.append((clock(), parse_jwks(json.dumps(rings.jwks(deps, "acme")).encode())))
        kid = rings.signing_key(deps, "acme").kid
        fresh_enough = [keys for at, keys in history if clock() - at < 4 * step]
        assert all(keys.named(kid) for keys in fresh_enough)
        clock.now += step


def test_the_operator_has_keys_only_once_they_are_made(deps):
    with pytest.raises(NotFound):
        rings.jwks(deps, OPERATOR)
    with deps.db.system(write=True) as system:
        for _ in range(2):
            rings.ensure(deps, system, OPERATOR, None, jwk.generate())
    assert len(rings.jwks(deps, OPERATOR)["keys"]) == 1


def test_nobody_rotates_the_keys_of_a_tenant_that_is_not_there(deps):
    with pytest.raises(NotFound):
        rings.rotate(deps, "nobody")
