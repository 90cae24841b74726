#!/usr/bin/env python3
"""The tidy tests themselves: each rule finds what it is for, and nothing in a good tree."""

import os
import tempfile
import unittest

import house_rules
import layers
import source_tree

GOOD = {
    "docs/glossary.md": "# Words\n\n## Refused in identifiers\n\n`blob` `util`\n\n## More\n\n`chunk`\n",
    "src/base/a.h": "#pragma once\n\n#include <string>\n\nint chunk();  // a blob, TO DO with \"throw\"\n",
    "src/base/a.cc": '#include "base/a.h"\n\nint chunk() { return sizeof("throw tl::x"); }\n',
    "src/kv/b.cc": '#include "base/a.h"\n',
    "src/kv/b_test.cc": '#include <gtest/gtest.h>\n\n#include "testing/fake.h"\n',
    "src/testing/fake.h": '#pragma once\n\n#include "kv/c.h"\n',
    "src/kv/c.h": "#pragma once\n",
}


class Tree(unittest.TestCase):
    def problems(self, module, **changes):
        """Problems of the good tree after the change of one file, given as path=text with '/' written as '__'."""
        with tempfile.TemporaryDirectory() as root:
            files = GOOD | {path.replace("__", "/").replace("_dot_", "."): text for path, text in changes.items()}
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return module.problems_of(root)

    def finds(self, module, expected, **changes):
        found = self.problems(module, **changes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])


class Layers(Tree):
    def test_passes_a_good_tree(self):
        self.assertEqual(self.problems(layers), [])

    def test_finds_an_upward_include(self):
        self.finds(layers, "src/base/a.cc:2: includes \"kv/c.h\"", src__base__a_dot_cc='#include "base/a.h"\n#include "kv/c.h"\n')

    def test_finds_test_code_in_the_product(self):
        self.finds(layers, "for tests", src__kv__b_dot_cc='#include "testing/fake.h"\n')

    def test_finds_a_library_outside_its_folder(self):
        self.finds(layers, "libpq-fe.h", src__kv__b_dot_cc="#include <libpq-fe.h>\n")
        self.finds(layers, "rocksdb/db.h", src__kv__b_dot_cc="#include <rocksdb/db.h>\n")
        self.assertEqual(self.problems(layers, src__kv__rocksdb__b_dot_cc="#include <rocksdb/db.h>\n"), [])

    def test_finds_a_folder_without_a_place(self):
        self.finds(layers, "no place", src__drawer__b_dot_cc="int x;\n")

    def test_finds_an_include_of_nothing(self):
        self.finds(layers, "no file of src/", src__kv__b_dot_cc='#include "b.h"\n')

    def test_ignores_an_include_in_a_comment(self):
        self.assertEqual(self.problems(layers, src__base__a_dot_h='#pragma once\n/*\n#include "kv/c.h"\n*/\n'), [])


class HouseRules(Tree):
    def test_passes_a_good_tree(self):
        self.assertEqual(self.problems(house_rules), [])

    def test_finds_each_offence_in_code(self):
        for expected, line in {
            "throws": "int f() { throw 1; }",
            "names tl::": "tl::expected<int, int> f();",
            "-Wthread-safety": "std::mutex m;",
            "'make_blob'": "int make_blob();",
            "'BlobStore'": "class BlobStore;",
            "'TODO'": "int f();  // TODO: g",
            "'for now'": "int f();  // for now",
            "'stub'": "int f();  // a stub",
            "columns": "// " + "x" * 120,
            "blanks": "int f(); ",
            "tab": "int\tf();",
        }.items():
            self.finds(house_rules, expected, src__kv__b_dot_cc=line + "\n")

    def test_finds_offences_of_headers(self):
        self.finds(house_rules, "pragma once", src__kv__c_dot_h="int f();\n")
        self.finds(house_rules, "using namespace", src__kv__c_dot_h="#pragma once\nusing namespace std;\n")
        self.finds(house_rules, '"base/a.h" first', src__base__a_dot_cc='#include <string>\n#include "base/a.h"\n')

    def test_finds_files_that_are_too_long_or_cut(self):
        self.finds(house_rules, "601 lines", src__kv__b_dot_cc="//\n" * 601)
        self.assertEqual(self.problems(house_rules, src__kv__b_dot_cc="//\n" * 600), [])
        self.finds(house_rules, "newline", src__kv__b_dot_cc="int x;")

    def test_finds_dead_links_and_broken_scripts(self):
        self.finds(house_rules, "links to gone.md", docs__page_dot_md="see [this](gone.md#part) and [that](glossary.md)\n")
        found = self.problems(house_rules, scripts__go="#!/usr/bin/env bash\nif true; then\n")
        self.assertEqual(len(found), 2, found)

    def test_finds_references_to_pages_and_sections_that_are_not_there(self):
        self.finds(house_rules, "docs/gone.md", src__kv__c_dot_h="#pragma once\n// see docs/gone.md\n")
        self.finds(house_rules, '"Less"', src__kv__c_dot_h='#pragma once\n/// (docs/glossary.md, "Less").\n')
        self.assertEqual(self.problems(house_rules, src__kv__c_dot_h='#pragma once\n/// docs/glossary.md, "More"\n'), [])

    def test_lets_libraries_have_their_own_words(self):
        self.assertEqual(self.problems(house_rules, src__kv__b_dot_cc="int x = options.blob_size + other::blob;\n"), [])

    def test_lets_docs_speak_of_plans_but_not_of_unfinished_lines(self):
        self.assertEqual(self.problems(house_rules, docs__page_dot_md="placeholders are for now\n"), [])
        self.finds(house_rules, "TODO", docs__page_dot_md="TODO\n")


class CodeOf(unittest.TestCase):
    def test_blanks_comments_and_literals_and_keeps_lines(self):
        code = source_tree.code_of('a /* x\ny */ b "c\\"d" \'e\' // f\nR"(g\n")" 1\'000\'000 h')
        self.assertEqual(code.split(), ["a", "b", "1'000'000", "h"])
        self.assertEqual(code.count("\n"), 3)


if __name__ == "__main__":
    unittest.main()
