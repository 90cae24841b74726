#!/usr/bin/env python3
"""Fails when a folder of src/ includes one that stands above it (docs/architecture.md), or a library it must not know."""

import os
import re
import sys

import source_tree

# A folder includes itself and those before it.
ORDER = ["base", "model", "kv", "meta", "object", "cache", "http", "cluster", "vfs", "fuse", "daemon", "cli"]

# Which files may include a library's headers: prefixes of paths, or endings when they start with '*'.
LIBRARIES = {
    r"rocksdb/": ["src/kv/rocksdb/", "src/cache/"],
    r"libpq": ["src/kv/postgres/"],
    r"microhttpd": ["src/http/"],
    r"CLI/": ["src/cli/", "bench/"],
    r"curl/": ["src/object/s3/", "bench/"],
    r"expat": ["src/object/s3/"],
    r"nlohmann/": ["src/object/s3/", "src/daemon/", "src/cli/", "src/http/", "src/testing/", "bench/"],
    r"openssl/": ["src/base/", "src/testing/s3/"],
    r"isa-l": ["src/base/"],
    r"spdlog/": ["src/base/"],
    r"tl/expected": ["src/base/result.h"],
    r"linux/fuse\.h": ["src/fuse/", "src/testing/"],
    r"(gtest|gmock)/": ["*_test.cc", "*conformance.h", "*conformance.cc", "*_fixture.h", "*_testing.h", "src/testing/", "tests/"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def is_test(path):
    return path.endswith(("_test.cc", "_fuzz.cc", "_bench.cc", "conformance.h", "conformance.cc", "_fixture.h", "_testing.h"))


def may_include(path, library_files):
    return any(path.endswith(rule[1:]) if rule[0] == "*" else path.startswith(rule) for rule in library_files)


def own_include_problem(root, path, target):
    """What is wrong with `#include "target"`, or None."""
    if not os.path.isfile(os.path.join(root, "src", target)):
        return f"includes \"{target}\", which is no file of src/"
    own, other = path.split("/")[1], target.split("/")[0]
    if other == "testing":
        return None if own == "testing" or is_test(path) else "includes testing/, which is for tests"
    if own == "testing" or other == own:
        return None
    if ORDER.index(other) > ORDER.index(own):
        return f"includes \"{target}\": {own}/ stands below {other}/"
    return None


def problems_of(root):
    problems = []
    for path in source_tree.files(root):
        if not source_tree.is_cpp(path) or not path.startswith(("src/", "tests/", "bench/")):
            continue
        folder = path.split("/")[1]
        if path.startswith("src/") and folder not in ORDER + ["testing"]:
            problems.append(f"{path}: folder {folder} has no place in the order of layers (tests/tidy/layers.py)")
            continue
        text = source_tree.code_of(source_tree.read(root, path))
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            target = match.group(2)
            if match.group(1) == '"' and path.startswith("src/"):
                problem = own_include_problem(root, path, target)
                if problem:
                    problems.append(f"{path}:{line}: {problem}")
            for library, allowed in LIBRARIES.items():
                if re.match(library, target) and not may_include(path, allowed):
                    problems.append(f"{path}:{line}: includes <{target}>, which only {', '.join(allowed)} may")
    return problems


if __name__ == "__main__":
    sys.exit(source_tree.report(problems_of(sys.argv[1] if len(sys.argv) > 1 else source_tree.REPOSITORY), "layers"))
