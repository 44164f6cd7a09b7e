# SPDX-License-Identifier: Apache-2.0
"""Runs the blocks of tutorials in order, in an empty folder for each page, and stops at the first
that does something else than the page says.

- ```sh: a command block, run by `bash -eu -o pipefail`; `namid` and `python` are those of the
  build. It must end with exit code 0, or with N where its last line ends in `# exit code N`.
- ```python: run in one interpreter for the page. A block whose first line is `# net.py`, the name
  of a file and no more, is written to that file instead.
- ```text right after one of these: what it prints, standard error included. `…` stands for
  anything within a line, a line `…` for any lines. Under `<!-- numbers within 20 % -->` numbers may
  differ by so much (whole ones below 10 by as much as 10 would).
- all other blocks are not run."""

import argparse
import contextlib
import dataclasses
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?")


@dataclasses.dataclass
class Block:
    line: int
    language: str
    code: str
    shown: str | None = None  # what the page says it prints
    percent: float = 0

    def file(self):
        found = re.fullmatch(r"(?:#|//) ([\w./-]+\.\w+)", self.code.split("\n", 1)[0])
        return found[1] if found else None

    def exit_code(self):
        found = re.search(r"# exit code (\d+)\s*$", self.code)
        return int(found[1]) if found else 0


def fences(text):
    """(line number, language, code, the line before it that is not blank)."""
    opened, before = None, ""
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None and (found := re.fullmatch(r"```(\w*)", line)):
            opened = (number, found[1], [], before)
        elif opened is not None and line == "```":
            yield opened[0], opened[1], "\n".join(opened[2]), opened[3]
            opened, before = None, "```"
        elif opened is not None:
            opened[2].append(line)
        elif line.strip():
            before = line


def blocks(text):
    """What of a page is run, each with the output that is shown after it."""
    found = []
    for line, language, code, before in fences(text):
        percent = re.fullmatch(r"<!-- numbers within ([\d.]+) % -->", before)
        if language == "text" and (before == "```" or percent):
            if not found or found[-1].shown is not None or found[-1].file():
                raise ValueError(f"line {line}: output of no block")
            found[-1].shown, found[-1].percent = code, float(percent[1]) if percent else 0
        elif percent:
            raise ValueError(f"line {line}: numbers of no output")
        else:
            found.append(Block(line, language, code))
    runs = [b for b in found if b.language in ("sh", "python") or b.file()]
    stray = [b for b in found if b not in runs and b.shown is not None]
    if stray:
        raise ValueError(f"line {stray[0].line}: a block that is not run has an output")
    return runs


def same_line(shown, printed, percent):
    """Whether a line is as shown, with … for anything and numbers near enough."""
    if percent:
        pattern = NUMBER.sub("\0", shown)
    else:
        pattern = shown
    words = re.escape(pattern).replace("…", ".*?").replace("\0", f"({NUMBER.pattern})")
    found = re.fullmatch(re.sub(r"(\\ )+", r"\\s+", words), printed)
    if not found:
        return False
    wanted = NUMBER.findall(shown) if percent else []
    return all(near(a, b, percent) for a, b in zip(wanted, found.groups(), strict=False))


def near(shown, printed, percent):
    whole = re.fullmatch(r"-?\d+", shown) is not None
    allowed = percent / 100 * max(abs(float(shown)), 10 if whole else 0)
    return abs(float(shown) - float(printed)) <= allowed + 1e-12


def same(shown, printed, percent=0):
    """Whether the lines printed are those shown, a line … standing for any number of them."""
    if not shown:
        return not printed
    if shown[0] == "…":
        return any(same(shown[1:], printed[at:], percent) for at in range(len(printed) + 1))
    return (
        bool(printed)
        and same_line(shown[0], printed[0], percent)
        and same(shown[1:], printed[1:], percent)
    )


def lines_of(text):
    """Lines without blank ends; a line redrawn on a terminal is its last state."""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def run_shell(block, environment):
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", block.code],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=environment,
    )  # fmt: skip
    return done.returncode, done.stdout


def run_python(block, names):
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            exec(compile(block.code, f"line {block.line}", "exec"), names)
    except BaseException:
        return 1, printed.getvalue() + traceback.format_exc()
    return 0, printed.getvalue()


def run_page(page, program, bin_folder):
    """Runs a page in the present folder; returns what is wrong, or None."""
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "NO_COLOR": "1"}
    names = {"__name__": "__main__"}
    sys.path.insert(0, os.getcwd())
    for block in blocks(page.read_text(encoding="utf-8")):
        print(f"== {page.name}:{block.line}\n{block.code}", flush=True)
        if block.file():
            pathlib.Path(block.file()).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(block.file()).write_text(block.code + "\n", encoding="utf-8")
            continue
        start = time.monotonic()
        code, printed = (
            run_shell(block, environment) if block.language == "sh" else run_python(block, names)
        )
        print(f"-- {time.monotonic() - start:.1f} s\n{printed}", end="", flush=True)
        if code != block.exit_code():
            return f"line {block.line}: exit code {code}, expected {block.exit_code()}"
        if block.shown is not None and not same(
            lines_of(block.shown), lines_of(printed), block.percent
        ):
            return (
                f"line {block.line}: it prints something else than the page shows:\n{block.shown}"
            )
    return None


def run_in_a_folder(page, program, keep):
    """One page; its Python blocks run in this process."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tutorial-"))
    with contextlib.ExitStack() as stack:
        if not keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        bin_folder = folder / "bin"
        work = folder / "work"
        bin_folder.mkdir()
        work.mkdir()
        (bin_folder / "namid").symlink_to(program)
        python = bin_folder / "python"  # a link would lose the virtual environment
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        os.chdir(work)
        problem = run_page(page, program, bin_folder)
        os.chdir(ROOT)
    if keep:
        print(f"kept {work}")
    if problem:
        print(f"tutorials: {page.name}: {problem}", file=sys.stderr)
    return problem is None


def pages_of_the_docs():
    return [ROOT / "docs/getting_started.md", *sorted((ROOT / "docs/tutorials").glob("*.md"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("pages", nargs="*", type=pathlib.Path, help="default: all")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument(
        "--program", type=pathlib.Path, help="another program; `namid` is importable then"
    )
    parser.add_argument("--keep", action="store_true", help="leave the folders in which they ran")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    pages = [page.resolve() for page in arguments.pages] or pages_of_the_docs()
    if len(pages) == 1:
        if not arguments.program:
            sys.path.insert(0, str(build / "python"))
            os.environ["PYTHONPATH"] = str(build / "python")
        program = (arguments.program or build / "namid").resolve()
        sys.exit(not run_in_a_folder(pages[0], program, arguments.keep))
    start, failed = time.monotonic(), 0
    for page in pages:  # a process each: an interpreter without what others left in it
        words = [sys.executable, __file__, str(page), "--build", str(build)] + [
            "--keep"
        ] * arguments.keep
        began = time.monotonic()
        wrong = subprocess.run(words).returncode != 0
        failed += wrong
        print(
            f"{'FAILED' if wrong else 'ok'} {page.name}"
            f" in {time.monotonic() - began:.0f} s",
            flush=True,
        )
    print(
        f"tutorials: {len(pages) - failed} passed, {failed} failed"
        f" in {time.monotonic() - start:.0f} s"
    )
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
