"""What the tidy tests look at: the repository's files and C++ text without its comments and strings."""

import os
import re
import subprocess

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(root):
    """Paths below root of the files under version control that are there; without git, of all files outside build/."""
    command = ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
        found = [path for path in listed if path and os.path.isfile(os.path.join(root, path))]
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in ("build", ".git", "__pycache__")]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def read(root, path):
    """The file's text, or None when it is absent or not text."""
    if not os.path.isfile(os.path.join(root, path)):
        return None
    try:
        with open(os.path.join(root, path), encoding="utf-8", newline="") as file:
            text = file.read()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def is_cpp(path):
    return path.endswith((".cc", ".h"))


_TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | R"(?P<mark>[^()\s]*)\(.*?\)(?P=mark)" | "(?:\\.|[^"\\\n])*" | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'""",
    re.DOTALL | re.VERBOSE,
)


def code_of(text):
    """C++ text with comments and literals blanked; line numbers stay. Include directives keep their names."""

    def blank(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text[line_start : match.start()].lstrip().startswith("#include"):
            return match.group(0)
        return re.sub(r"[^\n]", " ", match.group(0))

    return _TOKEN.sub(blank, text)


def report(problems, what):
    """Prints the problems and returns the exit code."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problems" if problems else f"{what}: fine")
    return 1 if problems else 0
