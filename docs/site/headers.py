# SPDX-License-Identifier: Apache-2.0
"""Reads the headers of this project (clang-format, `///` comments; not C++ at large): comments and
declarations in the order in which they stand."""

import dataclasses
import re

SKIPPED = re.compile(
    r"\s*(NAMID_CHECK_FIELDS|static_assert|using namespace|namespace \w+ = |extern template)"
)
NAMESPACE = re.compile(r"\s*(?:inline )?namespace(?: ([\w:]+))? \{")
FORWARD = re.compile(r"\s*(?:class|struct|enum class|enum)\s+[\w:]+(?:\s*:\s*[\w:]+)?;\s*$")


@dataclasses.dataclass
class Piece:
    """A comment with the declarations that follow it at once; one of both may be empty."""

    comment: list
    code: list  # of declarations, each a list of lines

    def names(self):
        return list(dict.fromkeys(filter(None, (name_of(code) for code in self.code))))


@dataclasses.dataclass
class Header:
    path: str  # "attacks/pgd.h"
    includes: list  # of namid's own
    pieces: list


def code_of(line):
    """A line without strings, character literals and its comment, for counting brackets."""
    line = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', '""', line)
    return line.split("//")[0]


def depth_change(line):
    code = code_of(line)
    return sum(map(code.count, "({[")) - sum(map(code.count, ")}]"))


class Reader:
    """Cuts a header into pieces, line by line."""

    def __init__(self, path, text):
        self.header = Header(path, [], [])
        self.comment, self.declared = [], []
        self.scopes = []  # of namespaces
        self.lines = text.splitlines()
        self.at = 0

    def flush(self):
        if self.comment or self.declared:
            self.header.pieces.append(Piece(self.comment, self.declared))
        self.comment, self.declared = [], []

    def read(self):
        while self.at < len(self.lines):
            self.take(self.lines[self.at])
        self.flush()
        return self.header

    def take(self, line):
        words = line.strip()
        if not words:
            self.flush()
            self.at += 1
        elif words.startswith("//"):
            if self.declared:
                self.flush()
            if not words.startswith(("// SPDX", "// NOLINT", "// clang-format")):
                self.comment.append(re.sub(r"^///?<? ?", "", words))
            self.at += 1
        elif words.startswith("#") and not words.startswith("#define"):
            include = re.match(r'#include "namid/([\w/]+\.h)"', words)
            if include:
                self.header.includes.append(include[1])
            self.at += 1
        elif NAMESPACE.match(line) and not words.endswith("}"):
            self.flush()
            self.scopes.append(NAMESPACE.match(line)[1] or "")
            self.at += 1
        elif words.startswith("}") and self.scopes:
            self.flush()
            self.scopes.pop()
            self.at += 1
        else:
            self.declaration()

    def declaration(self):
        taken, depth = [], 0
        while self.at < len(self.lines):
            line = self.lines[self.at]
            taken.append(line)
            self.at += 1
            depth += depth_change(line)
            code = code_of(line).rstrip()
            macro = taken[0].lstrip().startswith("#define")
            if macro and line.endswith("\\"):
                continue
            if depth == 0 and (macro or code.endswith((";", "}", ")")) and self.ends(taken, code)):
                break
        hidden = (
            "detail" in self.scopes
            or SKIPPED.match(taken[0])
            or (FORWARD.match(" ".join(taken)) and not self.comment)
        )
        if not hidden:
            self.declared.append(taken)
        elif not self.declared:
            self.comment = (
                [] if "detail" in self.scopes or SKIPPED.match(taken[0]) else self.comment
            )

    def ends(self, taken, code):
        """Where brackets are even, only a macro's use ends in ')' without a semicolon."""
        return not code.endswith(")") or re.match(r"\s*[A-Z_]+\(", taken[0]) is not None


def without_template(text):
    """A declaration without its leading template<...> and requires clauses."""
    text = text.strip()
    while text.startswith("template"):
        depth, end = 0, 0
        for end, letter in enumerate(text):  # noqa: B007
            depth += (letter == "<") - (letter == ">")
            if letter == ">" and depth == 0:
                break
        text = text[end + 1 :].strip()
    return re.sub(r"^requires(\s*\([^{;]*?\)|\s+[\w:]+<[\w:]+>)\s*", "", text)


def name_of(lines):
    text = without_template(" ".join(code_of(line).strip() for line in lines))
    if found := re.match(r"#define (\w+)", text):
        return found[1]
    if found := re.match(r"(?:using|concept) (\w+) =", text):
        return found[1]
    if found := re.match(r"(?:enum class|enum|struct|class|union) (?:\[\[\w+\]\] )?([\w:]+)", text):
        return found[1]
    if found := re.search(r"\boperator\s*([^\s(]+|\(\))\s*\(", text):
        return f"operator{found[1]}"
    while re.search(r"<[^<>()]*>", text):
        text = re.sub(r"<[^<>()]*>", "", text)
    text = re.sub(
        r"\b(noexcept|decltype|alignas)\([^()]*\)|\[\[\w+\]\]|__attribute__\(\(.*?\)\)", "", text
    )
    head = re.split(r"[={;]", text, maxsplit=1)[0]
    found = re.search(r"([\w:~]+)\s*\(", head) or re.search(r"(\w+)\s*(?:\[[^\]]*\])?\s*$", head)
    return found[1] if found else None


def read(path, text):
    return Reader(path, text).read()
