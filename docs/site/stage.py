# SPDX-License-Identifier: Apache-2.0
"""Lays out what the generator reads: the pages of the repository with their links turned to the
site's, and the reference made from headers, registries and the bibliography.

    stage.py PROGRAM FOLDER     FOLDER/reference/python has the pages of python_pages.py already"""

import pathlib
import re
import subprocess
import sys

import bibliography
import header_pages
import headers
import markdown
from markdown import resolve

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LISTS = ("attacks", "suites", "bounds", "defenses", "models", "data", "recipes")
# Sidebar: heading → pages of docs/, in reading order. Others go to the end of "Topics".
SECTIONS = {
    "Start": ["getting_started", "guide"],
    "Tutorials": [
        "tutorials/reproduce_the_paper",
        "tutorials/gate_a_release",
        "tutorials/attack_my_model",
        "tutorials/adaptive_attack",
        "tutorials/verify_a_set",
    ],
    "Topics": [
        "cli", "python", "data", "models", "attacks", "defenses", "mi", "train", "eval",
        "curve", "masking", "certify", "gate", "adversarial_sets", "reproduce", "run", "report",
        "engine", "winograd", "core", "io",
    ],
    "Evidence": ["evidence", "benchmarks", "comparison", "pitfalls"],
    "Reference": ["options"],
}  # fmt: skip
SHORT = {
    "comparison": "Other libraries",
    "pitfalls": "Pitfalls of published code",
}  # in the sidebar
PAPER = re.compile(r"\b[a-z]+(?:19|20)\d\d[a-z]*\b|arXiv:\d{4}\.\d{4,5}")


def repository_pages():
    """Path in the repository → path on the site."""
    pages = {pathlib.PurePosixPath(a): pathlib.PurePosixPath(b) for a, b in PROJECT.items()}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        inside = path.relative_to(ROOT / "docs")
        if inside.parts[0] != "site":
            pages[pathlib.PurePosixPath("docs") / inside] = pathlib.PurePosixPath(inside)
    return pages


class Linker:
    """Turns what a page names (papers, headers, other pages) into links of the site."""

    def __init__(self, pages, papers, paths):
        self.pages, self.papers = pages, papers
        self.eprints = {f"arXiv:{f['eprint']}": key for key, f in papers.items() if "eprint" in f}
        self.headers = {path: header_page(path) for path in paths}
        self.headers |= {f"namid/{path}": page for path, page in list(self.headers.items())}
        self.citing = {}  # key → {title: site path}

    def cite(self, key, text, page, title):
        self.citing.setdefault(key, {})[title] = page
        return (
            f"[{text}]({markdown.relative(page, pathlib.PurePosixPath('bibliography.md'))}#{key})"
        )

    def on(self, page, title):
        """A function that puts links into a line of Markdown of that page."""

        def paper(found):
            key = self.eprints.get(found[0], found[0])
            return self.cite(key, found[0], page, title) if key in self.papers else found[0]

        def span(code):
            name = code.strip("`")
            if name in self.papers:
                return self.cite(name, code, page, title)
            if name in self.headers and self.headers[name] != page:
                return f"[{code}]({markdown.relative(page, self.headers[name])})"
            return code

        return lambda line: markdown.map_line(line, lambda text: PAPER.sub(paper, text), span)

    def line(self, source, page, title, line):
        """A line of a page of the repository: its links point to the site's pages."""
        if line.startswith("#"):
            return line
        change, made, end = self.on(page, title), [], 0
        for link in markdown.LINK.finditer(markdown.without_spans(line)):
            made.append(change(line[end : link.start()]))
            target = line[link.start(2) : link.end(2)]
            made.append(
                f"[{line[link.start(1) : link.end(1)]}]({self.target(source, page, target)})"
            )
            end = link.end()
        return "".join([*made, change(line[end:])])

    def target(self, source, page, target):
        if markdown.is_external(target) or target.startswith("#"):
            return target
        path, _, anchor = target.partition("#")
        goal = resolve(source, path)
        if goal not in self.pages:
            sys.exit(f"docs: {source}: {target}: not a page of the site")
        return markdown.relative(page, self.pages[goal]) + (f"#{anchor}" if anchor else "")


def title_of(text):
    """The first heading, without what follows a colon."""
    found = re.search(r"^# (.*)$", text, re.MULTILINE)
    return re.split(r": ", found[1])[0].replace("`", "") if found else "?"


def header_page(path):
    return pathlib.PurePosixPath("reference/cpp") / path.replace(".h", ".md")


def write(folder, path, text):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def stage_repository(folder, linker):
    titles = {}
    for source, page in linker.pages.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        title = titles[page] = title_of(text)
        prose = {number for number, _ in markdown.prose_lines(text)}
        lines = [
            linker.line(source, page, title, line) if number in prose else line
            for number, line in enumerate(text.splitlines(), 1)
        ]
        write(folder, page, "\n".join(lines) + "\n")
    return titles


def folder_order(architecture):
    """Folder → headers to start with, from the table of ARCHITECTURE.md, in its order."""
    rows = re.findall(r"^\| `namid/(\w+)/` \|.*\|(.*)\|$", architecture, re.MULTILINE)
    return {folder: re.findall(r"`([\w.]+\.h)`", start) for folder, start in rows}


def stage_headers(folder, linker, read):
    order = folder_order((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    names = list(order) + sorted({path.split("/")[0] for path in read} - set(order))
    index = [
        "# C++ headers",
        "Every public header: comments and declarations as they stand in it. "
        "Folders in the order in which they build on each other "
        "([architecture](../../architecture.md)).",
    ]
    for name in names:
        start = [f"{name}/{file}" for file in order.get(name, [])]
        paths = [p for p in start if p in read] + sorted(
            p for p in read if p.startswith(name + "/") and p not in start
        )
        rows = []
        for path in paths:
            page = header_page(path)
            change = linker.on(page, path)
            write(folder, page, header_pages.page(read[path], change))
            summary = linker.on(
                pathlib.PurePosixPath(f"reference/cpp/{name}/index.md"), f"namid/{name}"
            )(markdown.cell(header_pages.summary(read[path])))
            rows.append((f"[`{path}`]({page.name})", summary))
        text = [f"# namid/{name}", markdown.table(("header", "what"), rows)]
        write(folder, f"reference/cpp/{name}/index.md", "\n\n".join(text) + "\n")
        index.append(f"- [namid/{name}]({name}/index.md): {len(paths)} headers")
    index.append(toctree(None, [f"{name}/index" for name in names]))
    write(
        folder,
        "reference/cpp/index.md",
        "\n\n".join(index[:2]) + "\n\n" + "\n".join(index[2:-1]) + "\n\n" + index[-1] + "\n",
    )


def stage_lists(folder, linker, program):
    for name in LISTS:
        table = subprocess.run(
            [program, "list", name, "--markdown"], check=True, capture_output=True, text=True
        ).stdout
        page = pathlib.PurePosixPath(f"reference/{name}.md")
        title = f"List of {name}"
        change = linker.on(page, title)
        lines = [change(line) for line in table.strip().splitlines()]
        write(
            folder,
            page,
            f"# {title}\n\n`namid list {name} --markdown`; `--json` has the same.\n\n"
            + "\n".join(lines)
            + "\n",
        )


def toctree(caption, entries):
    lines = ["```{toctree}", ":hidden:"] + ([f":caption: {caption}"] if caption else [])
    return "\n".join([*lines, "", *entries, "```"])


def stage_index(folder, titles):
    known = {page for pages in SECTIONS.values() for page in pages}
    more = sorted(str(page.with_suffix("")) for page in titles if str(page) not in PROJECT.values())
    sections = {caption: list(pages) for caption, pages in SECTIONS.items()}
    sections["Topics"] += [page for page in more if page not in known]
    parts = []
    for caption, pages in sections.items():
        entries = [f"{SHORT.get(p, titles[pathlib.PurePosixPath(p + '.md')])} <{p}>" for p in pages]
        if caption == "Reference":
            entries += [f"{name.capitalize()} <reference/{name}>" for name in LISTS]
            entries += ["reference/python/index", "reference/cpp/index", "bibliography"]
        parts.append(toctree(caption, entries))
    parts.append(toctree("Project", ["architecture", "contributing", "changelog"]))
    file = folder / "index.md"
    write(folder, "index.md", file.read_text(encoding="utf-8") + "\n" + "\n\n".join(parts) + "\n")


def main(program, folder):
    papers = bibliography.entries((ROOT / "docs" / "papers.bib").read_text(encoding="utf-8"))
    read = {}
    for file in sorted((ROOT / "namid").glob("*/*.h")):
        path = file.relative_to(ROOT / "namid").as_posix()
        read[path] = headers.read(path, file.read_text(encoding="utf-8"))
    linker = Linker(repository_pages(), papers, read)
    titles = stage_repository(folder, linker)
    stage_headers(folder, linker, read)
    stage_lists(folder, linker, program)
    stage_index(folder, titles)
    citing = {
        key: [f"[{title}]({page})" for title, page in sorted(found.items())]
        for key, found in linker.citing.items()
    }
    write(folder, "bibliography.md", bibliography.page(papers, citing))


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
