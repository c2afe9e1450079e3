"""What is right in the demo's activity, found as a learner sees it: by the words on the page."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from tests.visitor import Form

ACTIVITY = json.loads(files("app.learning").joinpath("seed/product_update.json").read_text())


def question(form: Form) -> dict[str, Any]:
    """Find the form's question in the activity."""
    labels = {_plain(label) for label in form.choices.get("answer", {}).values()}
    for item in ACTIVITY["items"]:
        if labels and labels == {_plain(choice["text"]) for choice in item.get("choices", [])}:
            return item
        if not labels and "choices" not in item and _plain(item["prompt"]) in _plain(form.text):
            return item
    raise AssertionError(f"a question that is not in the activity: {form.text}")


def right_answer(form: Form) -> list[str]:
    """What to send so that it is right."""
    item = question(form)
    if "choices" in item:
        return item["correct"] if isinstance(item["correct"], list) else [item["correct"]]
    return [str(item["numeric"]["value"]) if "numeric" in item else item["accepted"][0]]


def wrong_answer(form: Form) -> list[str]:
    """What to send so that it is wrong."""
    others = set(form.choices.get("answer", {"-1": ""})) - set(right_answer(form))
    return [min(others, default="-1")]


def _plain(text: str) -> str:
    return " ".join("".join(c for c in text if c not in "*`_").split())
