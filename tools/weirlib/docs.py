"""`tools/weir docs`: the pages and pictures that come out of the sources.

labs/figures and the handouts' tables: lab_figures.py, handouts.py.
docs/syscalls.md is made of kernel/abi/syscalls.def: the table, and the
comment above each call (what it does, then lines `Word: text`).
"""

import re
import sys

from weirlib import handouts, lab_figures
from weirlib.vm import ROOT

SYSCALLS = ROOT / "kernel/abi/syscalls.def"
PAGE = ROOT / "docs/syscalls.md"
WORDS = ("Returns", "Errors", "Blocks", "Example")
TITLE = """\
# System calls

Made by `tools/weir docs` of [kernel/abi/syscalls.def](../kernel/abi/syscalls.def); do not edit. The convention of registers, the error
numbers, rights and structures are in [kernel/abi/weir.h](../kernel/abi/weir.h). Each call is a function of C in user/lib/syscall.h that
returns 0 or more for success and a negative error otherwise.

Where a call's first argument is a handle, the table says on which object, and with which right. Each of these calls can also fail with
EHANDLE (there is no such handle, it is closed, or it names another kind of object) and ERIGHTS (it lacks the right); an unknown number
gives ENOSYS. Addresses and lengths are in bytes, `npages` and `page` in pages of 4096 bytes, times in ns since boot. No call has an
effect when it fails, unless it says so.

| number | call | first handle | right |
|---|---|---|---|
"""


class Call:
    """One entry of the table."""

    def __init__(self, comment, arguments):
        words = [word.strip() for word in arguments.split(",")]
        self.number, self.name, self.object, self.right = words[:4]
        self.arguments = list(zip(words[4::2], words[5::2]))
        self.about = paragraphs(comment)

    def signature(self):
        args = ", ".join(f"{t} {a}".replace("* ", "*")
                         for t, a in self.arguments)
        return f"sys_{self.name}({args})"


def paragraphs(comment):
    """{"": what it does, "Returns": ..., ...} of the comment's lines."""
    about, word = {"": []}, ""
    for line in comment.splitlines():
        line = re.sub(r"^\s*/?\* ?", "", line)
        match = re.match(r"([A-Z][a-z]+): (.*)", line)
        if match and match.group(1) in WORDS:
            word, line = match.groups()
            about[word] = []
        about[word].append(line)
    return {word: lines for word, lines in about.items()}


def parse(text):
    """Sections of calls: [(title, [Call, ...])]."""
    sections = []
    pattern = re.compile(
        r"/\* ==== (?P<title>[^=]+) ==== \*/|"
        r"/\*(?P<comment>(?:(?!\*/).)*)\*/\s*"
        r"SYSCALL(?:_REGS)?\((?P<arguments>[^()]*)\)", re.S)
    for match in pattern.finditer(text):
        if match["title"]:
            sections.append((match["title"], []))
        else:
            sections[-1][1].append(Call(match["comment"],
                                        match["arguments"]))
    return sections


def render(sections):
    out = [TITLE]
    for _, calls in sections:
        for c in calls:
            first = ("-", "-") if c.object == "NONE" else (c.object, c.right)
            out.append(f"| {c.number} | [{c.name}](#{c.name}) | "
                       f"{first[0]} | {first[1]} |\n")
    for title, calls in sections:
        out.append(f"\n## {title}\n")
        for c in calls:
            out.append(f"\n### {c.name}\n\n    {c.signature()}\n\n")
            out.append(" ".join(c.about[""]).strip() + "\n\n")
            for word in WORDS[:-1]:
                out.append(f"- {word}: "
                           + " ".join(c.about[word]).strip() + "\n")
            example = "\n    ".join(map(str.strip, c.about["Example"]))
            out.append(f"\nExample:\n\n    {example}\n")
    return re.sub(r"(?<=[^ \n])  +", " ", "".join(out))


def page():
    return render(parse(SYSCALLS.read_text()))


def docs(_args):
    made = {PAGE: page()} | lab_figures.files() | handouts.files()
    for path, text in made.items():
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)
    return 0


def add_verbs(sub):
    sub.add_parser("docs", help="write the pages and pictures that come "
                   "out of the sources").set_defaults(run=docs)
