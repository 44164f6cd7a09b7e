# SPDX-License-Identifier: Apache-2.0
"""Pages of the Python reference, from the signatures and docstrings of the built package.

python_pages.py FOLDER     `namid` must be importable"""

import dataclasses
import importlib
import inspect
import pathlib
import re
import sys

import header_pages
import markdown

MODULES = {
    "namid": "Commands and runs: the same options, run folders and records as the program's.",
    "namid.attacks": None, "namid.adaptive": None, "namid.models": None, "namid.defenses": None,
    "namid.mi": None, "namid.data": None, "namid.export": None, "namid.testing": None,
    "namid.plot": None, "namid.compat.torchattacks": None, "namid.compat.autoattack": None,
    "namid.compat.foolbox": None,
}  # fmt: skip


def annotation(kind):
    text = inspect.formatannotation(kind)
    text = text.replace("torch._tensor.", "torch.").replace("pathlib._local.", "pathlib.")
    return re.sub(r"\bnamid\.(\w+\.)*", "", text)


def parameter_text(parameter):
    star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = star + parameter.name
    typed = parameter.annotation is not parameter.empty
    if typed:
        text += f": {annotation(parameter.annotation)}"
    if parameter.default is not parameter.empty:
        value = parameter.default
        plain = isinstance(value, (bool, int, float, str, list, tuple, type(None)))
        text += (" = " if typed else "=") + (repr(value) if plain else "...")
    return text


def signature_text(name, function):
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return f"{name}(...)"
    words, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            words.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        words.append(parameter_text(parameter))
    returned = signature.return_annotation
    arrow = f" -> {annotation(returned)}" if returned is not signature.empty else ""
    line = f"{name}({', '.join(words)}){arrow}"
    if len(line) <= 80:
        return line
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){arrow}"


def doc_lines(thing):
    return inspect.cleandoc(thing.__doc__ or "").splitlines()  # not what a base class says


def split_doc(lines, names):
    """Lines of running text, and (name, meaning) of the lines that explain a parameter."""
    text, rows = [], []
    for line in lines:
        found = re.match(r"(\w+): (.+)", line)
        if found and found[1] in names:
            rows.append([found[1], found[2]])
        elif rows and line[:1].islower() and not rows[-1][1].endswith((".", ")")):
            rows[-1][1] += " " + line.strip()
        else:
            text.append(line)
    return text, rows


def explained(thing, names=()):
    text, rows = split_doc(doc_lines(thing), names)
    parts = [header_pages.comment_markdown(text)] if any(text) else []
    if rows:
        cells = [(f"`{name}`", markdown.cell(meaning)) for name, meaning in rows]
        parts.append(markdown.table(("parameter", "meaning"), cells))
    return parts


def function_markdown(name, function, level="##"):
    try:
        names = set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = set()
    code = markdown.fenced(signature_text(name, function), "python")
    return [f"{level} `{name}`", code, *explained(function, names)]


def field_rows(kind):
    """(name, type, comment) of a data class, comments from its source."""
    found = re.findall(
        r"^    (\w+): ([^=#\n]+?)(?: = [^#\n]+?)?(?:  # (.*))?$",
        inspect.getsource(kind),
        re.MULTILINE,
    )
    return [(f"`{n}`", f"`{t.replace('|', chr(92) + '|')}`", markdown.cell(c)) for n, t, c in found]


def class_markdown(name, kind):
    parts = [f"## `{name}`"]
    if not dataclasses.is_dataclass(kind) and "__init__" in vars(kind):
        parts.append(markdown.fenced(signature_text(name, kind), "python"))
    bases = [base.__name__ for base in kind.__bases__ if base is not object]
    if bases:
        parts.append("Is a " + ", ".join(f"`{base}`" for base in bases) + ".")
    if not (kind.__doc__ or "").startswith(f"{name}("):  # made by dataclass
        parts += explained(kind)
    if dataclasses.is_dataclass(kind) and field_rows(kind):
        parts.append(markdown.table(("field", "type", "what"), field_rows(kind)))
    for member, value in vars(kind).items():
        if isinstance(value, property) and not member.startswith("_"):
            parts += [f"### `{name}.{member}`", *explained(value)]
        elif isinstance(value, (classmethod, staticmethod)) and not member.startswith("_"):
            parts += function_markdown(f"{name}.{member}", getattr(kind, member), "###")
        elif inspect.isfunction(value) and (member == "__call__" or not member.startswith("_")):
            parts += function_markdown(f"{name}.{member}", value, "###")
    return parts


def public(module):
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name for name, thing in vars(module).items()
            if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
        ]  # fmt: skip
    return [name for name in names if not name.startswith("__") and name != "main"]


def module_page(module, introduction):
    parts = [f"# {module.__name__}"]
    parts += [introduction] if introduction else [header_pages.comment_markdown(doc_lines(module))]
    for name in public(module):
        thing = getattr(module, name)
        if inspect.isclass(thing):
            parts += class_markdown(name, thing)
        elif callable(thing):
            parts += function_markdown(name, thing)
    return "\n\n".join(part for part in parts if part) + "\n"


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    index = [
        "# Python package",
        "",
        "Signatures and docstrings; [python](../../python.md) is the way in.",
        "",
    ]
    for name, introduction in MODULES.items():
        module = importlib.import_module(name)
        (folder / f"{name}.md").write_text(module_page(module, introduction), encoding="utf-8")
        index.append(f"- [`{name}`]({name}.md)")
    index += ["", "```{toctree}", ":hidden:", "", *MODULES, "```", ""]
    (folder / "index.md").write_text("\n".join(index), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
