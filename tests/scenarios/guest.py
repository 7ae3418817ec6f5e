"""What the scenarios share besides fixtures: the tool's modules, helpers."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from weirlib import image, vm  # noqa: E402,F401

# A whole boot with its workload; a loaded host is several times slower.
BOOT_TIMEOUT = 150


def report(result):
    return (f"status {result.status} {result.verdict}\n--- output\n"
            f"{result.text[-3000:]}\n--- console\n{result.console[-5000:]}")


def source_files(*rooms):
    """The project's C and assembly files in these rooms."""
    for room in rooms:
        for folder, _, names in os.walk(ROOT / room):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".asm", ".def")):
                    yield Path(folder) / name
