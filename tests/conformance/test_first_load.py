"""A first load of people and groups, while the gateway is killed outright and started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import load
from bench.load import Size

# A bulk of 300 is several transactions: killed in between, a part of it is there.
SIZES = {
    "bulk": Size(people=900, clients=3, operations=300, kills=(0.3,), group=500),
    "posts": Size(people=300, kills=(0.4,), group=100),
}


@pytest.mark.parametrize("way", load.WAYS)
def test_everybody_is_there_once_as_acknowledged(
    tmp_path: Path, database_environ: dict[str, str], way: str
):
    found = load.measure(tmp_path, database_environ, SIZES[way], way)
    assert found["wrong"] == []
    assert found["unanswered"] > 0  # it was killed while clients waited
