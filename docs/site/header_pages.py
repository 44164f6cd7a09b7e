# SPDX-License-Identifier: Apache-2.0
"""Pages of the C++ reference, made of headers that headers.py has read."""

import itertools
import re
import textwrap

import markdown
from headers import depth_change, without_template


def shown(lines):
    """A declaration as the page shows it: no bodies of functions, nothing private, no fields()."""
    text = "\n".join(lines)
    head = without_template(text)
    if re.match(r"(enum|using|concept|#define)\b|#define", head):
        return text
    if re.match(r"(struct|class|union)\b", head):
        return class_shown(lines)
    first = re.sub(r"\s+", " ", head)
    if re.match(r"[^(]*=[^=]", first) or re.match(r"[^(]*\{[^{}]*\};", first):
        return text
    return without_body(text)


def without_body(text):
    """`T f(...) { ... }` as `T f(...);`."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if (
            letter == "{"
            and depth == 0
            and text[:at].rstrip().endswith((")", "const", "noexcept", "override"))
        ):
            return text[:at].rstrip() + ";"
    return text


def class_shown(lines):
    made, at = [], 0
    while at < len(lines):
        line = lines[at]
        if re.match(r"\s*(private|protected):", line):
            while made and not made[-1].strip():
                made.pop()
            return "\n".join([*made, "};"])
        if re.match(r"\s*static constexpr auto fields\(\) \{", line):
            depth = depth_change(line)
            while depth and at + 1 < len(lines):
                at += 1
                depth += depth_change(lines[at])
            at += 1
            continue
        made.append(line)
        at += 1
    return "\n".join(made)


def fields_of(lines):
    """(name, meaning, range) of a fields() table."""
    text = "\n".join(lines)
    rows = []
    for found in re.finditer(
        r'field\(\s*"(\w+)",\s*&[\w:]+,((?:\s*"(?:\\.|[^"\\])*")*)(?:,\s*([^"]+?))?\)\s*(?=[,}])',
        text,
    ):
        meaning = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', found[2]))
        rows.append((found[1], meaning.replace('\\"', '"'), re.sub(r"\s+", " ", found[3] or "")))
    return rows


def range_text(code):
    number = r"\(([^,()]+)(?:, ([^,()]+))?\)"
    if found := re.fullmatch("at_least" + number, code):
        return f"≥ {found[1]}"
    if found := re.fullmatch("above" + number, code):
        return f"> {found[1]}"
    if found := re.fullmatch("between" + number, code):
        return f"in [{found[1]}, {found[2]}]"
    if found := re.fullmatch(r"Range\{\.low = (\S+), \.high = (\S+), \.open_low = true\}", code):
        return f"in ({found[1]}, {found[2]}]"
    return code


LIST = re.compile(r"(\d+\.|-) ")


def hangs(lines, at):
    """Whether the line after `at` goes on with its sentence, indented, and is no formula."""
    follow = lines[at + 1] if at + 1 < len(lines) else ""
    return (
        not re.search(r"[:.;,]$", lines[at].rstrip())
        and re.match(r"  +[a-z]{2,} ", follow) is not None
    )


def indented(lines, at):
    end = at
    while end < len(lines) and lines[end].startswith("  "):
        end += 1
    return end


def listed(lines, at):
    """Items of the list that starts at `at`, and where it ends."""
    end = next((i for i in range(at, len(lines)) if not lines[i].strip()), len(lines))
    starts = [i for i in range(at, end) if LIST.match(lines[i])]
    last = indented(lines, starts[-1] + 1)
    starts.append(last)
    items = [" ".join(line.strip() for line in lines[a:b]) for a, b in itertools.pairwise(starts)]
    return [LIST.sub("", item, count=1) for item in items], last


def literal(lines):
    return markdown.fenced(textwrap.dedent("\n".join(lines)))


def comment_markdown(lines, change=lambda text: text):
    """A comment as Markdown: indented lines are formulas and stay as they are, numbered lines and
    those after a dash are lists, as are lines that hang; the rest is running text. `change` makes
    the links."""
    blocks, at = [], 0
    say = lambda words: change(markdown.escape(words))  # noqa: E731
    while at < len(lines):
        line, end = lines[at], at + 1
        if line.startswith("  "):
            end = indented(lines, at)
            blocks.append(literal(lines[at:end]))
        elif re.match(r"(1\.|-) ", line):
            items, end = listed(lines, at)
            mark = "-" if line.startswith("-") else "1."
            blocks.append("\n".join(f"{mark} {say(item)}" for item in items))
        elif line.strip() and hangs(lines, at):
            end = indented(lines, at + 1)
            blocks.append("- " + say(" ".join(x.strip() for x in lines[at:end])))
        elif line.strip():
            while end < len(lines) and lines[end].strip() and not lines[end].startswith("  "):
                if re.match(r"(1\.|-) ", lines[end]) or hangs(lines, end):
                    break
                end += 1
            blocks.append(say(" ".join(x.strip() for x in lines[at:end])))
        at = end
    return "\n\n".join(blocks)


def text_forms(pieces):
    """Name of an enumeration → what its enumerators are called in text."""
    forms = {}
    for code in (code for piece in pieces for code in piece.code):
        found = re.search(r"struct EnumNames<(?:.*::)?(\w+)> \{", "\n".join(code))
        if found:
            forms[found[1]] = re.findall(r'"([^"]*)"', "\n".join(code))
    return forms


def piece_markdown(piece, change, forms):
    parts = []
    names = piece.names()
    if names:
        parts.append("## " + ", ".join(f"`{name}`" for name in names))
    if piece.comment:
        parts.append(comment_markdown(piece.comment, change))
    if piece.code:
        parts.append(markdown.fenced("\n".join(shown(code) for code in piece.code), "cpp"))
    for code in piece.code:
        rows = [row for row in fields_of(code) if row[1]]
        if rows:
            cells = [(f"`{n}`", markdown.cell(m), markdown.cell(range_text(r))) for n, m, r in rows]
            parts.append(markdown.table(("option", "meaning", "range"), cells))
    for name in names:
        if name in forms:
            parts.append("As text: " + ", ".join(f"`{form}`" for form in forms[name]) + ".")
    return parts


def merged(pieces):
    """Consecutive pieces that declare the same names (overloads) under one heading."""
    groups = []
    for piece in pieces:
        names = piece.names()
        if groups and names and groups[-1][0].names() == names and len(names) == 1:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def page(header, change):
    """Markdown of the page of a header. It hangs on its folder's page alone: in the sidebar of each
    page hundreds of headers would make the site slow to build and to read."""
    folder = header.path.split("/")[0]
    include = f'`#include "namid/{header.path}"`, one of the headers of [namid/{folder}](index.md).'
    parts = ["---\norphan: true\n---", f"# {header.path}", include]
    forms = text_forms(header.pieces)
    pieces = [piece for piece in header.pieces if not piece.code or not text_forms([piece])]
    for group in merged(pieces):
        for number, piece in enumerate(group):
            made = piece_markdown(piece, change, forms)
            parts += made[1:] if number and piece.names() else made
    if header.includes:
        parts += ["## Includes", change(", ".join(f"`{path}`" for path in header.includes))]
    return "\n\n".join(parts) + "\n"


def summary(header):
    """The first sentence about what the file is named after, else of its first comment."""
    stem = header.path.split("/")[-1].removesuffix(".h")
    camel = "".join(word.capitalize() for word in stem.split("_"))
    named = [p for p in header.pieces if {f"{camel}Options", camel, stem} & set(p.names())]
    for piece in named + header.pieces:
        running = []
        for line in piece.comment:
            if line.startswith("  ") or (not line.strip() and running):
                break
            running.append(line.strip())
        if running:
            return shortened(" ".join(running))
    return ""


def shortened(text):
    """The first sentence, of a long one what stands before its colon or semicolon."""
    end = re.search(
        r"(?<!\bal)(?<!Sec)(?<!Eq)(?<!Alg)(?<!Fig)(?<!e\.g)(?<!i\.e)(?<![.\s])\.(?= |$)(?! \.)",
        text,
    )
    text = text[: end.start()] if end else text
    cut = re.search(r"[:;] ", text)
    return text[: cut.start()] if cut and len(text) > 160 else text
