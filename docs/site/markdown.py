# SPDX-License-Identifier: Apache-2.0
"""Markdown as the site and its checks need it: links, heading anchors, code spans, escaping. No
generator and no package is needed, so that the tests look at every link."""

import pathlib
import re

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
LINK = re.compile(r"(?<!\\)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
END_OF_LINK = re.compile(r"^[^\[\]]*\]\(")
SPAN = re.compile(r"(`+)(.+?)\1(?!`)", re.DOTALL)


def prose_lines(text):
    """(number, line) of the lines outside fenced code, numbers from 1."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if fence is None and mark:
            fence = mark[1]
        elif fence is not None:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = None
        else:
            yield number, line


def without_spans(line):
    return SPAN.sub(lambda found: " " * len(found[0]), line)


def slug(title):
    """The anchor of a heading, as GitHub makes it."""
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower().replace(" ", "-")
    return re.sub(r"[^\w\-]", "", title)


def anchors(text):
    found, seen = set(), {}
    for _, line in prose_lines(text):
        heading = HEADING.match(line)
        if heading:
            name = slug(heading[2])
            number = seen.get(name, 0)
            seen[name] = number + 1
            found.add(f"{name}-{number}" if number else name)
    return found


def links(text):
    """(line number, target) of every inline link outside code."""
    for number, line in prose_lines(text):
        for link in LINK.finditer(without_spans(line)):
            yield number, line[link.start(2) : link.end(2)]


def is_external(target):
    return re.match(r"[a-z][a-z0-9+.-]*:", target) is not None


def broken_links(root, pages):
    """Sentences about links of `pages` (paths from `root`) that do not lead to one of them, or that
    a line break divides, so that nothing here turns them into the site's."""
    texts = {page: (root / page).read_text(encoding="utf-8") for page in pages}
    broken = []
    for page, text in texts.items():
        for number, line in prose_lines(text):
            if END_OF_LINK.match(without_spans(line)):
                broken.append(f"{page}:{number}: a link that begins on another line")
        for number, target in links(text):
            if is_external(target):
                continue
            path, _, anchor = target.partition("#")
            goal = page if not path else pathlib.PurePosixPath(_normal(page.parent / path))
            if goal not in texts:
                broken.append(f"{page}:{number}: {target}: not a page of the site")
            elif anchor and anchor not in anchors(texts[goal]):
                broken.append(f"{page}:{number}: {target}: no such heading")
    return broken


def _normal(path):
    words = []
    for word in path.parts:
        if word == "..":
            if not words:
                return path
            words.pop()
        elif word != ".":
            words.append(word)
    return "/".join(words)


def resolve(page, target):
    """The path from the root that a relative link on `page` means."""
    return pathlib.PurePosixPath(_normal(page.parent / target))


def relative(page, goal):
    """A link from `page` to `goal`, both paths from the same root."""
    source = page.parent.parts
    shared = 0
    while shared < min(len(source), len(goal.parts) - 1) and source[shared] == goal.parts[shared]:
        shared += 1
    return "/".join([".."] * (len(source) - shared) + list(goal.parts[shared:]))


def map_prose(text, change_text, change_span):
    """`text` with change_text(text) applied to what is prose and change_span(code) to code spans;
    fenced blocks stay."""
    prose = {number for number, _ in prose_lines(text)}
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if number in prose:
            line = map_line(line, change_text, change_span)
        lines.append(line)
    return "\n".join(lines)


def map_line(line, change_text, change_span):
    made, end = [], 0
    for span in SPAN.finditer(line):
        made += [change_text(line[end : span.start()]), change_span(span[0])]
        end = span.end()
    return "".join([*made, change_text(line[end:])])


def _plain(text):
    made = re.sub(r"([\\*_\[\]<>#|~&$`])", r"\\\1", text)
    return re.sub(r"(?<![\w*])\\\*(\w[\w -]*?)\\\*(?!\w)", r"*\1*", made)


def escape(text):
    """Plain text whose code spans and *emphasis* stay, as Markdown."""
    made = map_line(text, _plain, lambda span: span)
    return re.sub(
        r"^(\s*)([-+]|\d+[.)])(\s)", lambda m: m[1] + m[2][:-1] + "\\" + m[2][-1] + m[3], made
    )


def cell(text):
    """Text as a cell of a table, code spans included."""
    return re.sub(r"(?<!\\)\|", r"\\|", escape(text).replace("\n", " "))


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def fenced(code, language=""):
    return f"```{language}\n{code.rstrip()}\n```"
