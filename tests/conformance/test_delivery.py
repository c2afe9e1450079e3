"""Scores to the practice campus while it fails, throttles, loses answers and shows web pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import delivery
from bench.delivery import Size


@pytest.mark.parametrize("scores", [Size(scores=120, rate=0, learners=10, links=3)])
def test_every_cell_is_right_in_order_and_without_a_duplicate(
    tmp_path: Path, database_environ: dict[str, str], scores: Size
):
    found = delivery.measure(tmp_path, database_environ, scores)
    assert found["wrong"] == []
    assert found["left"] == 0
    assert set(found["statuses"]) <= {"delivered", "superseded"}
    assert sum(found["statuses"].values()) == scores.scores + 1
    assert found["tries"]["failed"] > 0
