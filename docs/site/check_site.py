# SPDX-License-Identifier: Apache-2.0
"""Looks through a built site: every link and picture leads to a file and heading of it, and nothing
that a page needs to be shown comes from elsewhere.

    check_site.py FOLDER"""

import html.parser
import pathlib
import sys
import urllib.parse

LOADED = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "form": "action",
}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.linked, self.loaded = {"", "top"}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if values.get("id"):
            self.ids.add(values["id"])
        if tag == "a" and values.get("href"):
            self.linked.append(values["href"])
        if values.get(LOADED.get(tag)) and values.get("rel") != "canonical":
            self.loaded.append(values[LOADED[tag]])


def problems(folder):
    pages = {
        path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))
    }
    for path, page in pages.items():
        name = path.relative_to(folder)
        for target in page.loaded:
            if urllib.parse.urlsplit(target).netloc:
                yield f"{name}: loads {target}"
        for target in page.linked + page.loaded:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            goal = path.parent / urllib.parse.unquote(parts.path) if parts.path else path
            goal = goal.resolve()
            if not goal.exists():
                yield f"{name}: {target}: no such file"
            elif goal in pages and urllib.parse.unquote(parts.fragment) not in pages[goal].ids:
                yield f"{name}: {target}: no such heading"
    if not pages:
        yield "no pages"


def main(folder):
    found = list(problems(folder.resolve()))
    for problem in found:
        print(f"docs: {problem}", file=sys.stderr)
    sys.exit(bool(found))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
