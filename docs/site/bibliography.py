# SPDX-License-Identifier: Apache-2.0
"""docs/papers.bib as a page."""

import re

import markdown

ACCENTS = {
    "'e": "é",
    "^o": "ô",
    '"o': "ö",
    '"u': "ü",
    '"a': "ä",
    "'o": "ó",
    "'a": "á",
    "`e": "è",
    "~n": "ñ",
}


def plain(text):
    text = re.sub(r"""\{?\\(['"^`~])\{?(\w)\}?\}?""", lambda m: ACCENTS[m[1] + m[2]], text)
    return re.sub(r"\s+", " ", text.replace("{", "").replace("}", ""))


def entries(text):
    """key → fields, in the order of the file."""
    found = {}
    for entry in re.split(r"^@\w+\{", text, flags=re.MULTILINE)[1:]:
        key, _, body = entry.partition(",")
        fields = re.findall(r"(\w+) = \{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", body)
        found[key] = {name: plain(value) for name, value in fields}
    return found


def authors(text):
    names = [" ".join(reversed(name.split(", "))) for name in text.split(" and ")]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def reference(fields):
    """One entry as a sentence of Markdown."""
    where = next(
        (fields[f] for f in ("booktitle", "journal", "publisher", "howpublished") if f in fields),
        "",
    )
    volume = " ".join(f"{fields[f]}" for f in ("volume",) if f in fields)
    made = f"{markdown.escape(authors(fields['author']))}: *{markdown.escape(fields['title'])}*."
    made += (
        f" {markdown.escape(' '.join(filter(None, (where, volume))))}, {fields['year']}."
        if where
        else f" {fields['year']}."
    )
    if "eprint" in fields:
        made += f" [arXiv:{fields['eprint']}](https://arxiv.org/abs/{fields['eprint']})"
    if "doi" in fields:
        made += f" [doi:{markdown.escape(fields['doi'])}](https://doi.org/{fields['doi']})"
    return made


def page(papers, citing):
    """`citing`: key → links (Markdown) to the pages that cite it."""
    parts = [
        "# Bibliography",
        "The papers that the sources and these pages cite, by their keys in `docs/papers.bib`.",
    ]
    for key in sorted(papers):
        parts += [f"## {key}", reference(papers[key])]
        if citing.get(key):
            parts.append("Cited in " + ", ".join(citing[key]) + ".")
    return "\n\n".join(parts) + "\n"
