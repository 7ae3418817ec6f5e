"""`tools/weir leaderboard RESULTS`: who reclaims with the fewest interrupts.

RESULTS is what `tools/weir grade open --batch` wrote, a JSON for each
submission; RESULTS/leaderboard.md is made of it. Only those are ranked whose
tests all passed. What counts is the worst boot of all that print a score.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

NAME = "leaderboard.md"
SCORE = re.compile(r"^score ipis-per-1000-pages (\d+(?:\.\d+)?) "
                   r"rounds-per-1000-pages (\d+(?:\.\d+)?) pages \d+ "
                   r"lost (\d+)$", re.M)
TITLE = """\
# Interrupts for 1,000 pages

Made by `tools/weir leaderboard` of the results of lab {lab}; the worst boot of each submission whose tests all passed.

| place | submission | interrupts | rounds | boots |
|---|---|---|---|---|
"""


@dataclass
class Entry:
    """One submission's worst boot."""
    name: str
    ipis: float
    rounds: float
    boots: int


def entry(done):
    """The Entry of one results.json; None: it is not ranked."""
    rows = done["tests"]
    if not done["complete"] or not rows or \
            any(row["verdict"] != "PASS" for row in rows):
        return None
    scores = [tuple(map(float, match)) for row in rows
              if not row["regression"] for boot in row["boots"]
              for match in SCORE.findall(boot["output"])]
    if not scores or any(lost for _, _, lost in scores):
        return None
    ipis, rounds, _ = max(scores)
    return Entry(done["submission"], ipis, rounds, len(scores))


def table(lab, results):
    """The page; equal scores share a place."""
    ranked = sorted(filter(None, map(entry, results)),
                    key=lambda one: (one.ipis, one.name))
    lines = []
    for one in ranked:
        place = 1 + sum(other.ipis < one.ipis for other in ranked)
        lines.append(f"| {place} | {one.name} | {one.ipis:.1f} | "
                     f"{one.rounds:.1f} | {one.boots} |\n")
    without = len(results) - len(ranked)
    note = f"\nNot ranked: {without}.\n" if without else ""
    return TITLE.format(lab=lab) + "".join(lines) + note


def leaderboard(args):
    results = [json.loads(path.read_text())
               for path in sorted(Path(args.results).glob("*.json"))]
    labs = sorted({done["lab"] for done in results})
    if len(labs) != 1:
        print(f"leaderboard: needs results of one lab; {args.results} has "
              f"those of {', '.join(labs) or 'none'}", file=sys.stderr)
        return 1
    text = table(labs[0], results)
    (Path(args.results) / NAME).write_text(text)
    print(text, end="")
    return 0


def add_verbs(sub):
    parser = sub.add_parser("leaderboard", help="of a graded class: who "
                            "reclaims with the fewest interrupts")
    parser.add_argument("results", metavar="RESULTS", help="what grade "
                        "--batch wrote; leaderboard.md is added")
    parser.set_defaults(run=leaderboard)
