#!/usr/bin/env python3
"""Fails on what CONTRIBUTING.md rules out and a machine can see: long lines and files, unfinished work, refused words."""

import os
import re
import stat
import subprocess
import sys

import source_tree

COLUMNS = 120
LINES = 600

# Work that says of itself that it is not done. Pages of docs/ may speak about plans, so only the marks count there.
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
PROMISES = re.compile(r"\b(for now|stubs?|placeholders?|not implemented|unimplemented)\b", re.IGNORECASE)
# Files that name these words because they are about them.
ABOUT_WORDS = ("tests/tidy/", "CONTRIBUTING.md", "LICENSE")

CODE_RULES = [
    (re.compile(r"\bthrow\b"), "throws; errors are Result<T> (base/result.h)",
     lambda path: not path.endswith("_test.cc")),
    (re.compile(r"\btl::"), "names tl::; use Result, Status and error()", lambda path: not path.startswith("src/base/result.")),
    (re.compile(r"\busing\s+namespace\b"), "a header has 'using namespace'", lambda path: path.endswith(".h")),
    (re.compile(r"\bstd::(mutex|lock_guard|unique_lock|scoped_lock|shared_mutex)\b"),
     "uses a lock that -Wthread-safety cannot check; use base/mutex.h",
     lambda path: path != "src/base/mutex.h" and not path.endswith("_test.cc")),
]


def refused_words(root):
    """The words in `code font` below the glossary's heading 'Refused in identifiers'."""
    text = source_tree.read(root, "docs/glossary.md") or ""
    _, _, section = text.partition("## Refused in identifiers")
    return set(re.findall(r"`([a-z]+)`", section.split("\n## ")[0]))


def words_of(identifier):
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)]


def line_problems(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if source_tree.is_cpp(path) and len(line) > COLUMNS:
            yield number, f"has {len(line)} columns; {COLUMNS} at most"
        if line.rstrip() != line and not path.endswith(".md"):
            yield number, "ends with blanks"
        if "\t" in line and os.path.basename(path) != "Makefile" and not path.endswith(".tsv"):
            yield number, "has a tab"
        if not path.startswith(ABOUT_WORDS):
            found = MARKS.search(line) or (None if path.startswith("docs/") else PROMISES.search(line))
            if found:
                yield number, f"says '{found.group(0)}': finish it or leave it out"


def code_problems(path, text, refused):
    code = source_tree.code_of(text)
    if path.endswith(".h") and not text.startswith("#pragma once\n"):
        yield 1, "a header starts with #pragma once"
    for number, line in enumerate(code.split("\n"), 1):
        for pattern, sentence, applies in CODE_RULES:
            if applies(path) and pattern.search(line):
                yield number, sentence
        if line.lstrip().startswith("#include"):
            continue
        # What stands behind a '.' or '::' was named where it was declared, perhaps by a library.
        for identifier in re.findall(r"(?<![.>:\w])[A-Za-z_]\w*", line):
            wrong = refused.intersection(words_of(identifier))
            if wrong:
                yield number, f"'{identifier}' has the word '{min(wrong)}', which docs/glossary.md refuses"


def own_header_problem(root, path, text):
    """x.cc includes x.h first, so that every header stands on its own."""
    header = path[len("src/") : -len(".cc")] + ".h"
    if path.startswith("src/") and path.endswith(".cc") and os.path.exists(os.path.join(root, "src", header)):
        first = re.search(r'^#include\s*[<"]([^>"]+)', text, re.MULTILINE)
        if first is None or first.group(1) != header:
            yield 1, f"does not include \"{header}\" first"


def page_problems(root, path, text):
    """Code that refers to docs/page.md, "Section" finds both."""
    for match in re.finditer(r'\b(docs/[\w/-]+\.md)(?:,\s+(?://+\s+)?"([^"\n]+)")?', text):
        line = text.count("\n", 0, match.start()) + 1
        page = source_tree.read(root, match.group(1))
        if page is None:
            yield line, f"refers to {match.group(1)}, which is not there"
        elif match.group(2) and not re.search(rf"^#+ {re.escape(match.group(2))}$", page, re.MULTILINE):
            yield line, f"refers to \"{match.group(2)}\" of {match.group(1)}, which has no such heading"


def link_problems(root, path, text):
    for match in re.finditer(r"\]\(([^)#\s]+)(#[^)]*)?\)", text):
        target = match.group(1)
        if "://" not in target and not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
            yield text.count("\n", 0, match.start()) + 1, f"links to {target}, which is not there"


def script_problems(root, path):
    full = os.path.join(root, path)
    if not os.stat(full).st_mode & stat.S_IXUSR:
        yield 1, "is a script but not executable"
    checked = subprocess.run(["bash", "-n", full], capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        yield 1, f"is not right bash: {checked.stderr.strip()}"


def file_problems(root, path, refused):
    text = source_tree.read(root, path)
    if text is None:
        return
    yield from line_problems(path, text)
    lines = text.count("\n")
    if lines > LINES and not path.endswith(".md"):
        yield lines, f"has {lines} lines; {LINES} at most"
    if text and not text.endswith("\n"):
        yield lines + 1, "does not end with a newline"
    if source_tree.is_cpp(path):
        yield from code_problems(path, text, refused)
        yield from own_header_problem(root, path, text)
        yield from page_problems(root, path, text)
    if path.endswith(".md"):
        yield from link_problems(root, path, text)
    if text.startswith("#!/usr/bin/env bash"):
        yield from script_problems(root, path)


def problems_of(root):
    refused = refused_words(root)
    return [
        f"{path}:{line}: {what}"
        for path in source_tree.files(root)
        if path != "LICENSE" and not path.startswith("tests/corpus/")  # what fuzzers take as it is
        for line, what in file_problems(root, path, refused)
    ]


if __name__ == "__main__":
    sys.exit(source_tree.report(problems_of(sys.argv[1] if len(sys.argv) > 1 else source_tree.REPOSITORY), "house rules"))
