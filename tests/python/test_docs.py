# SPDX-License-Identifier: Apache-2.0
"""The documentation without its generator: links and headings, what the reference pages are made
with, and the tutorials."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import bibliography  # noqa: E402
import header_pages  # noqa: E402
import headers  # noqa: E402
import markdown  # noqa: E402
import stage  # noqa: E402

PAGES = [pathlib.PurePosixPath(page) for page in stage.repository_pages()]


def tutorials():
    spec = importlib.util.spec_from_file_location("tutorials", ROOT / "scripts" / "tutorials.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tutorials"] = module
    spec.loader.exec_module(module)
    return module


def papers():
    return bibliography.entries((ROOT / "docs" / "papers.bib").read_text(encoding="utf-8"))


def test_every_link_leads_to_a_page_and_a_heading():
    assert len(PAGES) > 25
    assert markdown.broken_links(ROOT, PAGES) == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a.md").write_text(
        "# One & two\n[x](b.md) [y](#one--two) [z](#three)\n```\n[c](code.md)\n```\n`[d](e.md)`\n"
        "[w](https://example.org/none) [v](c.md#sub-title)\n"
    )
    (tmp_path / "c.md").write_text("## Sub `title`\n[divided\nlink](a.md)\n")
    found = markdown.broken_links(
        tmp_path, [pathlib.PurePosixPath("a.md"), pathlib.PurePosixPath("c.md")]
    )
    assert found == [
        "a.md:2: b.md: not a page of the site",
        "a.md:2: #three: no such heading",
        "c.md:3: a link that begins on another line",
    ]


def test_every_page_has_one_title_and_is_in_the_contents():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        titles = [line for _, line in markdown.prose_lines(text) if line.startswith("# ")]
        assert len(titles) == 1, page
    listed = {f"docs/{name}.md" for pages in stage.SECTIONS.values() for name in pages}
    assert listed <= {str(page) for page in PAGES}


def test_the_bibliography_has_every_entry_with_author_title_and_year():
    text = (ROOT / "docs" / "papers.bib").read_text(encoding="utf-8")
    assert len(papers()) == len(re.findall(r"^@", text, re.MULTILINE)) > 60
    for key, fields in papers().items():
        assert {"author", "title", "year"} <= set(fields), key
        assert "{" not in bibliography.reference(fields) and "\\'" not in fields["author"], key
    assert (
        bibliography.authors("Rony, J and Ben Ayed, Ismail and X, Y")
        == "J Rony, Ismail Ben Ayed and Y X"
    )


HEADER = """// SPDX-License-Identifier: Apache-2.0
#pragma once

// About the file.

#include <vector>

#include "namid/core/options.h"

namespace namid::x {

class Forward;

/// What it is (cited2020): formula
///   a < b[i]
/// and on, *so*:
/// 1. one,
///    still one;
/// 2. two.
struct ThingOptions {
  int steps = 10;  ///< count
  static constexpr auto fields() {
    return std::tuple{field("steps", &ThingOptions::steps,
                            "gradient "
                            "steps",
                            at_least(1))};
  }

 private:
  int hidden_ = 0;
};
NAMID_CHECK_FIELDS(ThingOptions);

enum class Kind { one, two };

/// Twice.
template <class T>
inline T twice(const std::vector<T>& x, int n = 2) {
  return n * x;
}
bool operator==(const Forward&, const Forward&);

namespace detail {
int hidden();
}

constexpr double kHalf = 0.5;

}  // namespace namid::x

namespace namid {
template <>
struct EnumNames<x::Kind> {
  static constexpr std::array kNames{"one", "two"};
};
}  // namespace namid
"""


def test_a_header_becomes_a_page_of_its_comments_and_declarations_in_order():
    header = headers.read("x/thing.h", HEADER)
    assert header.includes == ["core/options.h"]
    names = [name for piece in header.pieces for name in piece.names()]
    assert names == ["ThingOptions", "Kind", "twice", "operator==", "kHalf", "EnumNames"]
    text = header_pages.page(header, lambda line: line)
    for part in (
        "About the file.",
        "```\na < b[i]\n```",
        "1. one, still one;\n1. two.",
        "| `steps` | gradient steps | ≥ 1 |",
        "  int steps = 10;  ///< count\n};",
        "inline T twice(const std::vector<T>& x, int n = 2);",
        "As text: `one`, `two`.",
        "constexpr double kHalf = 0.5;",
    ):
        assert part in text, part
    for part in ("hidden", "Forward;", "fields()", "NAMID_CHECK", "return n"):
        assert part not in text, part
    assert header_pages.summary(header) == "What it is (cited2020): formula"


def test_every_header_of_the_library_is_read_whole():
    for file in (ROOT / "namid").glob("*/*.h"):
        text = file.read_text(encoding="utf-8")
        header = headers.read(file.name, text)
        for piece in header.pieces:
            for code in piece.code:
                name = headers.name_of(code)
                assert name and name not in {"const", "if", "return", "int"}, (file, code[0])
        for name in re.findall(
            r"^(?:struct|class|enum class) (\w+)(?: : [^;]+)? \{", text, re.MULTILINE
        ):
            found = [n for piece in header.pieces for n in piece.names()]
            inside = re.search(r"namespace detail \{.*?\n\}", text, re.DOTALL)
            assert name in found or (inside and name in inside[0]), (file, name)


def test_output_is_compared_as_the_tutorials_say():
    same = tutorials().same
    assert same(["a …", "…", "z"], ["a b c", "1", "2", "z"])
    assert not same(["a …", "z"], ["a b", "x", "z"])
    assert not same(["54.00 %"], ["54.10 %"])
    assert same(["54.00 % of 3"], ["58.10 % of 4"], percent=10)
    assert not same(["54.00 %"], ["60.10 %"], percent=10)
    assert not same(["54.00 % x"], ["54.00 % y"], percent=10)


def test_a_tutorial_that_shows_something_else_fails(tmp_path):
    page = ROOT / "docs" / "tutorials" / "verify_a_set.md"
    module = tutorials()
    text = "```python\nprint(1 + 1)\n```\n```text\n3\n```\n"
    (tmp_path / "wrong.md").write_text(text)
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert "something else" in module.run_page(tmp_path / "wrong.md", None, tmp_path)
    finally:
        os.chdir(here)
        sys.path.remove(str(tmp_path))
    assert page.exists()
    with pytest.raises(ValueError, match="not run"):
        module.blocks("```yaml\na: 1\n```\n```text\nb\n```\n")


def test_every_tutorial_has_blocks_with_outputs():
    module = tutorials()
    for page in module.pages_of_the_docs():
        found = module.blocks(page.read_text(encoding="utf-8"))
        assert sum(block.shown is not None for block in found) >= 3, page


def test_the_cheapest_tutorial_runs_as_it_is_written():
    program = pathlib.Path(os.environ["NAMID_PROGRAM"])
    page = ROOT / "docs" / "tutorials" / "verify_a_set.md"
    words = [
        sys.executable,
        str(ROOT / "scripts" / "tutorials.py"),
        str(page),
        "--program",
        str(program),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
