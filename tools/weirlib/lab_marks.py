"""The marks in the sources: what a lab leaves to students.

The sources are the solved tree; a gap stands between whole-line comments of C
(of NASM with `;` and one line each):

    /* LAB name begin: what is to be done here */
    ...the solution...
    /* LAB name stub
     * return 0;
     */
    /* LAB name end */

The stub may be left out.
"""

import re
from dataclasses import dataclass

KERNEL_ROOMS = ("boot", "arch", "kernel", "mm")
MARKED = (".c", ".h", ".asm")


class LabError(Exception):
    """What is wrong, as `file:line: what`."""


@dataclass
class Gap:
    """Between two marks of a file; lines are numbered from 1."""
    path: str
    lab: str
    line: int               # of `begin`
    indent: str
    begin: list             # the lines of the mark `begin`
    solution: list
    stub: list              # as it goes in
    end: str


C_MARK = re.compile(r"^(\s*)/\* LAB (\w+) (begin: .+|stub|end)( \*/)?$")
ASM_MARK = re.compile(r"^(\s*); LAB (\w+) (begin: .+|stub|end)$")
ANY_MARK = re.compile(r"\bLAB \w+ (begin|stub|end)\b")


class Reader:
    """Reads the marks of one file: pieces are lines, and Gaps."""

    def __init__(self, path, text):
        self.path, self.lines, self.at = path, text.splitlines(), 0
        self.asm = path.endswith(".asm")
        self.mark = ASM_MARK if self.asm else C_MARK

    def fail(self, what, line=None):
        raise LabError(f"{self.path}:{line or self.at}: {what}")

    def next(self):
        """The next line, and its mark or None."""
        line = self.lines[self.at]
        self.at += 1
        mark = self.mark.match(line)
        if not mark and ANY_MARK.search(line):
            self.fail("this is no whole mark")
        return line, mark

    def comment(self, mark):
        """The further lines of the comment that a mark begins."""
        if self.asm or mark.group(4) or mark.group(3).endswith("*/"):
            return []
        start = self.at
        while self.at < len(self.lines):
            self.at += 1
            if self.lines[self.at - 1].strip().endswith("*/"):
                return self.lines[start:self.at]
        self.fail("the comment does not end", start)

    def stub(self, mark):
        if self.asm:
            start = self.at
            while self.at < len(self.lines) and \
                    re.match(r"\s*;(?! LAB)", self.lines[self.at]):
                self.at += 1
            body = self.lines[start:self.at]
        else:
            body = self.comment(mark)[:-1]
        stripped = [re.sub(r"^\s*[*;] ?", "", line) for line in body]
        return [(mark.group(1) + line).rstrip() for line in stripped]

    def gap(self, line, mark):
        kind = mark.group(3)
        if not kind.startswith("begin"):
            self.fail(f"LAB {mark.group(2)} {kind} without a begin")
        gap = Gap(self.path, mark.group(2), self.at, mark.group(1),
                  [line], [], None, "")
        gap.begin += self.comment(mark)
        while self.at < len(self.lines):
            line, mark = self.next()
            if mark and mark.group(2) != gap.lab:
                self.fail(f"LAB {mark.group(2)} within the gap of "
                          f"{gap.lab} that begins at line {gap.line}")
            if not mark and gap.stub is None:
                gap.solution.append(line)
            elif not mark:
                self.fail(f"more code after the stub of LAB {gap.lab}")
            elif mark.group(3) == "end":
                gap.stub, gap.end = gap.stub or [], line
                return gap
            elif mark.group(3) == "stub" and gap.stub is None:
                gap.stub = self.stub(mark)
            else:
                self.fail(f"LAB {gap.lab} {mark.group(3).split(':')[0]} "
                          f"within the gap that begins at line {gap.line}")
        self.fail(f"LAB {gap.lab} begin without an end", gap.line)

    def pieces(self):
        found = []
        while self.at < len(self.lines):
            line, mark = self.next()
            found.append(self.gap(line, mark) if mark else line)
        return found


def marked(path):
    return path.endswith(MARKED) and path.split("/")[0] in \
        (*KERNEL_ROOMS, "user")


def student_text(path, text, name):
    """The file as a student of lab `name` gets it."""
    out = []
    for piece in Reader(path, text).pieces():
        if not isinstance(piece, Gap):
            out.append(piece)
        elif piece.lab != name:
            out += piece.solution
        else:
            out.append(piece.begin[0].replace(f"LAB {name} begin:",
                                              f"Your code (lab {name}):"))
            out += piece.begin[1:] + piece.stub
            out.append(piece.end.replace(f"LAB {name} end",
                                         "End of your code"))
    return "\n".join(out) + "\n"
