"""What labrun wrote on COM2 of one boot: believed only if it is genuine.

    note: lab NONCE NUMBER KIND REST... TAG

Each boot has a nonce of its own, each build a key; NUMBER grows by one from
0 on, TAG is SipHash-2-4 of all before it (docs/protocol.md). Whatever begins
like such a record and is none was made by somebody else.
"""

import re
from dataclasses import dataclass, field

from weirlib.siphash import siphash

KEY = re.compile(r"LAB_KEY \{ 0x([0-9a-f]{16})ull, 0x([0-9a-f]{16})ull \}")


@dataclass
class Report:
    """The genuine records of a boot, and whether there were others."""
    began: bool = False
    ended: bool = False
    good: bool = False      # the record `end` says ok
    status: int = None      # of the test's program
    failed: int = 0         # CHECKs
    parts: tuple = None     # how many are right, of how many
    fails: list = field(default_factory=list)   # file:line: expression
    forged: str = ""        # the first that is not genuine


def read_key(path):
    match = KEY.search(path.read_text())
    return tuple(int(half, 16) for half in match.groups())


def key_text(key):
    return "#define LAB_KEY { 0x%016xull, 0x%016xull }\n" % tuple(key)


def numbers(rest, count):
    words = rest.split()
    fine = len(words) == count and all(w.lstrip("-").isdigit()
                                       for w in words)
    return tuple(map(int, words)) if fine else None


class Reader:
    """Takes the records of one boot in their order."""

    def __init__(self, key, nonce):
        self.key, self.nonce, self.number = key, nonce, 0
        self.report = Report()

    def take(self, kind, payload):
        if kind != "note" or not payload.startswith(b"lab "):
            return
        body, _, tag = payload.rpartition(b" ")
        words = body.split(b" ", 4)
        true = b"%016x" % siphash(self.key, body)
        genuine = (len(words) == 5 and tag == true
                   and words[1] == self.nonce.encode()
                   and words[2] == b"%d" % self.number)
        if not genuine:
            self.report.forged = self.report.forged or \
                payload.decode(errors="replace")[:200]
            return
        self.number += 1
        self._genuine(words[3].decode(), words[4].decode(errors="replace"))

    def _genuine(self, kind, rest):
        r = self.report
        if kind == "begin":
            r.began = True
        elif kind == "fail":
            r.fails.append(rest)
        elif kind == "part":
            good, out_of = numbers(rest, 2) or (0, 0)
            r.parts = (good, out_of) if 0 <= good <= out_of else None
        elif kind == "end":
            word, _, rest = rest.partition(" ")
            r.status, r.failed = numbers(rest, 2) or (None, 0)
            r.ended, r.good = True, word == "ok"
