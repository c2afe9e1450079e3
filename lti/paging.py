"""Following a list from page to page (RFC 8288 `Link`, as platforms write it)."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin

from lti.errors import ServiceRefused
from lti.service import HttpResponse, header
from lti.urls import origin, parse_http_url

MAX_LINK_LENGTH = 16_000
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
# ASCII: a curly quote, read as Latin-1 or UTF-8, counts as no word.
_RELATION = re.compile(r";\s*rel\s*=[^\w;]*([\w .:/-]+)", re.ASCII | re.IGNORECASE)


def next_url(response: HttpResponse, page_url: str) -> str | None:
    """The URL of the next page after `page_url`, or None on the last.

    Takes curly quotes and `&amp;` (Moodle); changes no letter's case, since bookmarks have one.
    A page that names itself is the last. Raises ServiceRefused for a page elsewhere: our access
    token goes along to it.
    """
    links = header(response, "Link") or ""
    if len(links) > MAX_LINK_LENGTH:
        raise ServiceRefused("bad_response", "The platform's paging links are too long.")
    for target, parameters in _LINK.findall(links):
        relation = _RELATION.search(parameters)
        if relation and "next" in relation[1].lower().split():
            found = _on_the_same_host(html.unescape(target.strip()), page_url)
            return None if found == page_url else found
    return None


def _on_the_same_host(target: str, page_url: str) -> str:
    url = urljoin(page_url, target)
    here, there = parse_http_url(page_url), parse_http_url(url)
    if here is not None and there is not None:
        # Behind a proxy that ends TLS some platforms believe to be on plain http.
        upgraded = there._replace(scheme="https")
        if here.scheme == "https" and there.scheme == "http" and there.port is None:
            url, there = upgraded.geturl(), upgraded
        if origin(here) == origin(there):
            return url
    raise ServiceRefused("bad_response", "The platform's next page lies on another host.")
