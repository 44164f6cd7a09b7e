# SPDX-License-Identifier: Apache-2.0
"""Keyword arguments out of C++ option tables: names, defaults, docstrings, signatures."""

import difflib
import inspect
import keyword

_TYPES = {"bool": bool, "int": int, "number": float, "text": str, "choice": str, "list": list}
_TYPES["hook"] = object  # a text or a callable


class Table:
    """Rows of an option table under the names that Python uses for them.

    A row's name is its key where no other row has that key ("steps"), else its path with an
    underscore ("attack_loss"); a word of the language gets one behind it ("lambda_")."""

    def __init__(self, rows, leave_out=()):
        rows = [row for row in rows if row["path"] not in leave_out]
        keys = [row["name"] for row in rows if row["alone"]]
        self.rows = {}
        self._paths = {row["path"].replace(".", "_"): row["path"] for row in rows}
        for row in rows:
            lone = row["alone"] and keys.count(row["name"]) == 1
            name = row["name"] if lone else row["path"].replace(".", "_")
            self.rows[name + "_" * keyword.iskeyword(name)] = row

    def paths(self, keywords):
        """{path: value} for the extension. Names with the section are understood too."""
        return {self._path(name): value for name, value in keywords.items()}

    def _path(self, name):
        if name in self.rows:
            return self.rows[name]["path"]
        if name in self._paths:
            return self._paths[name]
        near = difflib.get_close_matches(name, [*self.rows, *self._paths], 1)
        raise ValueError(
            f"unknown option '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
        )

    def parameters(self):
        def parameter(name, row):
            kind, default = _TYPES[row["type"]], row["default"]
            if not isinstance(default, (kind, int, float)):  # "auto" beside the kind
                kind = kind | str
            where = inspect.Parameter.KEYWORD_ONLY
            return inspect.Parameter(name, where, default=default, annotation=kind)

        return [parameter(name, row) for name, row in self.rows.items()]

    def lines(self):
        """One line for each option."""
        for name, row in self.rows.items():
            limits = ", ".join(row["choices"]) or row["range"]
            yield f"{name}: {row['help']}" + (f" ({limits})" if limits else "")


def describe(function, *, name, summary, lines, positional, table, more=(), returns):
    """Gives `function` a name, a docstring and the signature: `positional` (names, or pairs of name
    and default), the table's keywords, then `more` as (name, default)."""
    parameter = inspect.Parameter

    def place(each):
        name, default = each if isinstance(each, tuple) else (each, parameter.empty)
        return parameter(name, parameter.POSITIONAL_OR_KEYWORD, default=default)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "\n".join([summary, "", *lines, *table.lines()])
    function.__signature__ = inspect.Signature(
        [place(each) for each in positional]
        + table.parameters()
        + [parameter(key, parameter.KEYWORD_ONLY, default=value) for key, value in more],
        return_annotation=returns,
    )
    return function
