"""The shape of the house, as rules that fail."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

from app.store.tables import metadata

ROOT = Path(__file__).parents[2]
PACKAGES = {"app", "keys", "lti", "migrations", "sandbox", "scim", "sso"}
FOLDERS = PACKAGES | {"bench", "docs", "tests"}

WITHOUT_TENANT = {
    "tenant": "is the tenant",
    "cached_document": "public documents of others, the same for every tenant",
}
TENANT_MAY_BE_NULL = {
    "signing_key": "the operator's keys belong to no tenant",
    "registration": "the operator's platforms serve many tenants",
    "deployment": "nobody has approved it yet",
}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"], cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("lti/roles.py", "import app.config"),
        ("keys/seal.py", "import lti.roles"),
        ("scim/etag.py", "import sso.errors"),
        ("lti/roles.py", "import requests"),
        ("lti/roles.py", "import pylti1p3"),
        ("scim/etag.py", "import scim2_filter_parser"),
        ("app/flows/join.py", "import app.web.guard"),
        ("app/flows/join.py", "import flask"),
        ("app/web/guard.py", "import sqlalchemy"),
        ("app/learning/score.py", "import app.store.people"),
        ("app/store/people.py", "import app.http"),
        ("app/unplaced.py", ""),
        ("sandbox/people.py", "import keys.jwk"),
    ],
)
def test_a_seeded_violation_of_the_import_rules_fails(copy: Path, file: str, line: str):
    path = copy / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    checked = lint_imports(copy)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "BROKEN" in checked.stdout or "unmatched" in (checked.stdout + checked.stderr).lower()


def test_the_import_rules_are_kept():
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_top_level_holds_what_is_agreed_and_nothing_else():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = {line.split("/")[0] for line in listed.stdout.splitlines() if "/" in line}
    assert found - {".ci", ".github"} <= FOLDERS


def test_every_table_bears_a_tenant():
    for table in metadata.tables.values():
        if table.name in WITHOUT_TENANT:
            assert "tenant_id" not in table.c
            continue
        assert "tenant_id" in table.c, f"{table.name} has no tenant_id"
        assert table.c.tenant_id.nullable == (table.name in TENANT_MAY_BE_NULL), table.name


def test_every_index_of_a_tenants_rows_begins_with_the_tenant_or_says_why():
    across = {
        # looked up before a tenant is known, or by the worker
        "ix_once_expires_at", "uq_domain_verified", "ix_launch_browser", "uq_connection_id",
        "uq_registration", "uq_deployment", "ix_destination_due", "ix_delivery_finished",
        "ix_scim_resource_deleted",
        "ix_token_given",
    }  # fmt: skip
    for table in metadata.tables.values():
        for index in table.indexes:
            if "tenant_id" in table.c and index.name not in across:
                assert next(iter(index.columns)).name == "tenant_id", index.name


def test_time_and_ids_are_drawn_in_one_place_only():
    banned = {
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("time", "time"),
        ("uuid", "uuid4"),
        ("date", "today"),
    }
    for package in PACKAGES - {"sandbox", "migrations"}:
        for path in (ROOT / package).rglob("*.py"):
            if path.relative_to(ROOT).as_posix() == "app/kernel/clock.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    owner = node.func.value
                    name = (
                        owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                    )
                    assert (name, node.func.attr) not in banned, f"{path}:{node.lineno}"


def test_a_signals_handler_only_sets_a_flag():
    """It runs in the midst of whatever the main thread does: a lock that it took could be that thread's own."""
    handlers = 0
    for path in (file for part in ("app", "sandbox") for file in (ROOT / part).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        bodies = {one.name: one.body for one in nodes if isinstance(one, ast.FunctionDef)}
        given = [
            one.args[1] for one in nodes
            if isinstance(one, ast.Call) and ast.unparse(one.func).endswith("signal.signal")
        ]  # fmt: skip
        for handler in map(ast.unparse, given):
            body = map(ast.unparse, bodies.get(handler.rpartition(".")[2], []))
            acts = [line for line in body if not line.startswith(("'", '"'))]
            assert acts, (path, handler)
            assert all(line.endswith(" = True") for line in acts), (path, handler)
            handlers += 1
    assert handlers >= 5


def test_rooms_are_small():
    sizes = sorted(
        len(path.read_text().splitlines())
        for package in PACKAGES - {"migrations"}
        for path in (ROOT / package).rglob("*.py")
    )
    assert sizes[len(sizes) // 2] <= 120
    assert sizes[-1] <= 350


def test_the_saml_libraries_agree_on_one_libxml2():
    import lxml.etree
    import xmlsec
    from onelogin.saml2.utils import OneLogin_Saml2_Utils

    assert lxml.etree.LIBXML_VERSION[:2] == lxml.etree.LIBXML_COMPILED_VERSION[:2]
    assert xmlsec.__version__ == "1.3.17"
    assert OneLogin_Saml2_Utils.generate_unique_id().startswith("ONELOGIN_")


def test_lock_files_hold_hashes_and_no_addresses():
    for path in ROOT.glob("requirements*.lock"):
        text = path.read_text()
        assert "://" not in text, path.name
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert all("==" in line and line.rstrip().endswith("\\") for line in pins), path.name


def test_the_peers_come_from_npm_by_name_and_hash():
    lock = json.loads((ROOT / "tests/interop/peers/package-lock.json").read_text())
    packages = [one for path, one in lock["packages"].items() if path]
    assert packages
    for one in packages:
        assert "resolved" not in one
        assert one["integrity"].startswith("sha512-")


def test_the_lock_files_pin_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text().lower()
    for wanted in project["dependencies"]:
        name = wanted.split(">=")[0].split("==")[0].split("[")[0]
        assert f"{name.lower()}==" in lock or f"{name.lower()}[" in lock, wanted


def test_what_a_package_wants_with_an_extra_is_pinned_with_it():
    # Otherwise pip, asked for hashes, takes up the newest release of it and then refuses it as not pinned.
    pins = {
        line.split("==")[0].lower()
        for path in ROOT.glob("requirements*.lock")
        for line in path.read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    for package in distributions():
        for wanted in package.requires or ():
            found = re.match(r"([A-Za-z0-9_.-]+)(\[[^\]]+\])", wanted)
            if found and "extra ==" not in wanted and package.name != "ostiary":
                assert f"{found[1]}{found[2]}".lower() in pins, f"{package.name} wants {wanted}"
