"""What the scenarios share besides fixtures: the tool's modules, helpers."""

import json
import os
import sys
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from weirlib import image, vm  # noqa: E402,F401

# A whole boot with its workload; a loaded host is several times slower.
BOOT_TIMEOUT = 150
# MiB of a scenario that says nothing else: the machine has room for it all.
MEM = 96
# What watches every scenario that does not say what else: the oracle
# (mm/oracle.h), sums of swap slots, poison in free memory.
CHECK = "tlb,slots,poison"
PROMPT = r"weir> "


def report(result):
    return (f"{result.command}\nstatus {result.status} {result.verdict}\n"
            f"--- output\n{result.text[-3000:]}\n"
            f"--- console\n{result.console[-5000:]}")


def json_lines(result):
    """The objects that a program with --json printed, one a line."""
    return [json.loads(line) for line in result.text.splitlines()
            if line.startswith("{")]


def interactive(*options):
    """A boot whose console is ours to type at, at its first prompt."""
    console = pexpect.spawn(
        str(ROOT / "tools/weir"), ["vm", "--set", f"check={CHECK}", *options],
        timeout=60, encoding="utf-8", codec_errors="replace")
    console.expect(PROMPT)
    return console


def source_files(*rooms):
    """The project's C and assembly files in these rooms."""
    for room in rooms:
        for folder, _, names in os.walk(ROOT / room):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".asm", ".def")):
                    yield Path(folder) / name
