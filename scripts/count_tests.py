# SPDX-License-Identifier: Apache-2.0
"""Adds up the test results of GoogleTest and pytest: count_tests.py RESULTS_FOLDER DOCS_STATUS.

A test program that wrote no result file, or died before its end, counts as one failure.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    """(passed, failed, skipped names) of one JUnit-like file."""
    passed, failed, skipped = 0, 0, []
    for case in ElementTree.parse(path).iter("testcase"):
        if case.get("status") == "notrun":
            continue  # filtered out, not skipped
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("result") == "skipped":
            reason = case.find("skipped")
            text = (reason.get("message") or "").strip() if reason is not None else ""
            skipped.append(f"{case.get('classname')}.{case.get('name')}: {text.splitlines()[-1] if text else ''}")
        else:
            passed += 1
    return passed, failed, skipped


def main():
    folder, docs = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    passed, failed, skipped = (0, 1, []) if docs else (1, 0, [])
    for case in ElementTree.parse(folder / "ctest-summary.xml").iter("testcase"):
        file = folder / f"{case.get('name')}.xml"
        if case.get("name").startswith("example."):  # a program that passes by its exit code
            broken = case.find("failure") is not None or case.get("status") == "fail"
            passed, failed = passed + (not broken), failed + broken
        elif not file.exists():
            print(f"test program {case.get('name')} left no results")
            failed += 1
    for file in sorted(folder.glob("*.xml")):
        if file.name == "ctest-summary.xml":
            continue
        more = count(file)
        passed, failed, skipped = passed + more[0], failed + more[1], skipped + more[2]
    if not (folder / "python.xml").exists():
        print("pytest left no results")
        failed += 1
    for name in skipped:
        print(f"skipped {name}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    sys.exit(failed > 0)


main()
