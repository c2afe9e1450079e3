"""A person at a browser, without a browser: follows links, fills in forms, keeps cookies."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests


@dataclass
class Form:
    """A form of a page: its hidden and preset values, and what each choice is called."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, dict[str, str]] = field(default_factory=dict)
    """{field: {value: label}} of radio buttons and checkboxes."""
    texts: set[str] = field(default_factory=set)
    """Fields to type into."""
    buttons: list[str] = field(default_factory=list)
    text: str = ""
    """What the form says, labels included."""


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.forms, self.links = url, [], []
        self.words: list[str] = []
        self._form: Form | None = None
        self._label: tuple[str, str] | None = None
        self._link: str | None = None
        self._button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self.url, at.get("action") or self.url)
            self._form = Form(action, at.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "a" and "href" in at:
            self._link = urljoin(self.url, at["href"])
            self.links.append([self._link, ""])
        elif self._form is not None and tag in {"input", "textarea", "button", "select"}:
            self._field(tag, at)

    def _field(self, tag: str, at: dict[str, str]) -> None:
        assert self._form is not None
        kind, name = at.get("type", "submit" if tag == "button" else "text"), at.get("name", "")
        if tag == "button":
            self._button = True
            self._form.buttons.append("")
            if name:
                self._form.values.setdefault(name, []).append(at.get("value", ""))
        elif kind in {"radio", "checkbox"}:
            self._form.choices.setdefault(name, {})[at.get("value", "on")] = ""
            self._label = (name, at.get("value", "on"))
        elif kind == "hidden":
            self._form.values.setdefault(name, []).append(at.get("value", ""))
        elif kind != "submit":
            self._form.texts.add(name)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "a":
            self._link = None
        elif tag == "button":
            self._button = False
        elif tag == "label":
            self._label = None

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text:
            return
        self.words.append(text)
        if self._form is not None:
            self._form.text = f"{self._form.text} {text}".strip()
        if self._link is not None:
            self.links[-1][1] += text
        if self._form is not None and self._label is not None:
            name, value = self._label
            label = self._form.choices[name][value]
            self._form.choices[name][value] = f"{label} {text}".strip()
        if self._form is not None and self._button:
            self._form.buttons[-1] += text


@dataclass
class Page:
    """What came back."""

    response: requests.Response
    forms: list[Form]
    links: dict[str, str]
    text: str

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def url(self) -> str:
        return self.response.url

    def form(self, *, button: str = "", field: str = "") -> Form:
        """Return the form with this button or field."""
        for one in self.forms:
            names = {*one.values, *one.choices, *one.texts}
            if any(button in each for each in one.buttons or [""]) and (
                not field or field in names
            ):
                return one
        raise AssertionError(f"no form with {button or field!r} in {self.url}: {self.text[:600]}")


class Visitor:
    """One browser with its cookies."""

    def __init__(self) -> None:
        self._http = requests.Session()
        self._http.trust_env = False

    def get(self, url: str, **kwargs: Any) -> Page:
        return self._page(self._http.get(url, timeout=30, **kwargs))

    def post(self, url: str, **kwargs: Any) -> Page:
        return self._page(self._http.post(url, timeout=30, **kwargs))

    def submit(self, form: Form, **fields: Any) -> Page:
        """Send a form with these fields filled in; lists for several values."""
        data = {**form.values, **fields}
        if form.method == "get":
            return self.get(form.action, params=data)
        return self.post(form.action, data=data)

    def through(self, page: Page) -> Page:
        """Follow the pages that send themselves on, as a browser with JavaScript would."""
        while page.status == 200 and len(page.forms) == 1 and "id_token" in page.forms[0].values:
            page = self.submit(page.forms[0])
        return page

    def twin(self) -> Visitor:
        """Open another tab: the same cookies, connections of its own."""
        tab = Visitor()
        tab._http.cookies.update(self._http.cookies)
        return tab

    def close(self) -> None:
        self._http.close()

    def _page(self, response: requests.Response) -> Page:
        reader = _Reader(response.url)
        if "html" in response.headers.get("Content-Type", ""):
            reader.feed(response.text)
        return Page(
            response,
            reader.forms,
            {text: url for url, text in reader.links},
            " ".join(reader.words),
        )
