#!/usr/bin/env python3
"""House limits that no lint knows: file sizes, module style, unfinished work, unproved unwraps,
papers that name missing files.

Prints every place that breaks one and exits 1, or one line of counts and exits 0.
"""

import pathlib
import re
import statistics
import subprocess
import sys

LINES_MAX = 500
MEDIAN_MAX = 120
INLINE_TESTS_FROM = 200

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b|\b(?:todo|unimplemented)!\(")
EXCUSE = re.compile(r"#!?\[allow\(.*clippy::(?:unwrap|expect)_used")


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rs"],
        check=True, capture_output=True, text=True,
    ).stdout
    return [pathlib.Path(line) for line in listed.splitlines() if pathlib.Path(line).exists()]


def is_test(path):
    """Tests, benchmarks and the test kit: code that may stop at what it did not expect."""
    parts = set(path.parts)
    return bool(parts & {"tests", "benches", "testing", "testbed"}) or path.name == "tests.rs"


def without_inline_tests(lines):
    for at, line in enumerate(lines):
        if line.strip() == "#[cfg(test)]" and at + 1 < len(lines) and "{" in lines[at + 1]:
            return lines[:at], len(lines) - at
    return lines, 0


def missing_paths():
    """Places of the workspace that the papers name and that are not there."""
    tops = {path.name for path in pathlib.Path(".").iterdir() if path.is_dir()}
    for paper in ("README.md", "CONTRIBUTING.md"):
        text = pathlib.Path(paper).read_text(encoding="utf-8")
        quoted = re.findall(r"`([\w./-]+)`", text)
        named = [path for path in quoted if "/" in path and path.split("/")[0] in tops]
        linked = [path for path in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in path]
        for path in sorted(set(named + linked)):
            if not pathlib.Path(path).exists():
                yield f"{paper}: names {path}, which is not there"


def main():
    found, sizes = [], []
    for path in tracked():
        lines = path.read_text(encoding="utf-8").splitlines()
        sizes.append(len(lines))
        if len(lines) > LINES_MAX:
            found.append(f"{path}: {len(lines)} lines, at most {LINES_MAX}")
        if path.name == "mod.rs":
            found.append(f"{path}: a module's file stands beside its folder")
        for at, line in enumerate(lines, 1):
            if UNFINISHED.search(line):
                found.append(f"{path}:{at}: unfinished: {line.strip()}")
        if is_test(path):
            continue
        code, tests = without_inline_tests(lines)
        if tests and len(lines) > INLINE_TESTS_FROM:
            found.append(f"{path}: {len(lines)} lines with its tests in it; move them to tests.rs")
        # Clippy refuses an unwrap that is not allowed; that an allowed one is proved, it cannot see.
        for at, line in enumerate(code):
            proved = "//" in line or (at > 0 and code[at - 1].lstrip().startswith("//"))
            if EXCUSE.search(line) and not proved:
                found.append(f"{path}:{at + 1}: no comment says why this cannot fail: {line.strip()}")
    found.extend(missing_paths())
    if not sizes:
        found.append("no Rust file is tracked: run this in the repository")
    elif statistics.median(sizes) > MEDIAN_MAX:
        found.append(f"median of {statistics.median(sizes)} lines a file, at most {MEDIAN_MAX}")
    if found:
        print("\n".join(found))
        return 1
    print(f"{len(sizes)} Rust files, median {statistics.median(sizes):.0f} lines, longest {max(sizes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
