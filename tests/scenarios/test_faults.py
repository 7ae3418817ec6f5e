"""Faults made on purpose: docs/reliability.md has the table.

What a failing or stuck swap device does to one page is test_swap_device_fails
in test_failures.py; if the device is a program, test_swap.py.
"""

import json
import random
import re

import pytest
from guest import report, vm
from weirlib.soak import injected

AUDIT = "tlb,audit"
# Rates that a system can live with; what they cost is time or room.
HARMLESS = {
    "swap-write": "swap-write:5",
    "swap-slow": "swap-slow:20",
    "swap-order": "swap-order:2",
    "swap-stuck-write": "swap-stuck-write:300",
    "swap-full": "swap-full:3",
    "swap-shrink": "swap-shrink:5x2000",
    "ipi-late": "ipi-late:3",
    "timer-storm": "timer-storm:2",
}
ALL = "swap-write:20,swap-slow:50,swap-order:3,swap-full:10," \
    "swap-shrink:10x1000,ipi-late:5,timer-storm:3"


def lostwrite(clean, faults, **options):
    """Under `faults` since boot no store is lost; returns what was made."""
    result = clean("sh", "-c", "audit ms=50 lostwrite --json threads=4 "
                   "seconds=2 && ctl faults && vmstat", cpus=4,
                   check=AUDIT, words=[f"fault={faults}"], timeout=300,
                   **options)
    answer = json.loads(result.text.splitlines()[0])
    assert answer["lost"] == 0 and answer["increments"] > 0, report(result)
    counts = injected(result.text)
    counters = dict(re.findall(r"^(\w+) (\d+)$", result.text, flags=re.M))
    # More, for time goes on between the two commands.
    assert int(counters["faults_injected"]) >= sum(counts.values()) > 0
    return counts, {name: int(n) for name, n in counters.items()}


@pytest.mark.parametrize("kind", HARMLESS)
def test_nothing_is_lost(clean, kind):
    # With a round for each page thousands meet; with one for a batch few.
    counts, counters = lostwrite(
        clean, HARMLESS[kind],
        tlb="immediate" if kind == "ipi-late" else "two-pass")
    assert counts[kind] > 0, counts
    if kind == "ipi-late":
        # Interrupts that became one with another's.
        assert counters["nr_tlb_remote_flush_received"] > counters["ipi_sent"]


@pytest.mark.parametrize("policy", vm.POLICIES)
def test_nothing_is_lost_by_all_at_once(clean, policy):
    counts, _ = lostwrite(clean, ALL, tlb=policy)
    assert min(n for kind, n in counts.items()
               if kind + ":" in ALL) > 0, counts


def test_every_allocation_fails_once(clean):
    """Who asked is told or dies; nothing is leaked, nobody else is hurt."""
    result = clean("audit", "faults", "sites", cpus=4, timeout=300,
                   check=AUDIT, words=["swap=virtio"])
    assert re.search(r"^faults: 2\d places failed in turn, 0 checks failed$",
                     result.text, flags=re.M), report(result)


@pytest.mark.parametrize("faults", [
    "alloc:300", "swap-read:30",
    "alloc:600,swap-read:60,swap-write:5,swap-order:3,swap-full:10"])
def test_only_who_asked_pays(clean, faults):
    """P6, at random: children die of it, none of them has a wrong byte."""
    seed = random.randrange(1, 1 << 32)
    result = clean("audit", "faults", "random", faults, cpus=4, mem=64,
                   timeout=300, check=AUDIT, words=[f"seed={seed}"])
    assert re.search(r"^faults: [1-9]\d* faults: \d+ children were killed, "
                     r"\d+ ended well, 0 failed$", result.text,
                     flags=re.M), report(result)


BAD = ["swap-raed:3", "swap-read", "swap-read:", "swap-read:1y", "swap-read:1x",
       ":3", "swap-re:3", "swap-read:-1", "swap-read:99999999999",
       "swap-wet:1,ipi-late:3"]


@pytest.mark.parametrize("words", [BAD[:5], BAD[5:]])
def test_bad_words_are_named(clean, words):
    """And nothing is set from there on."""
    first = "timer-storm:2x1,"
    commands = "".join(f"ctl faults {first}{bad} | head -n 1; "
                       for bad in words)
    result = clean("sh", "-c", commands + "ctl faults", cpus=1,
                   words=[f"fault={first}{words[-1]}"])
    assert f'init: parameter fault: bad value "{words[-1]}"\n' \
        in result.console, report(result)
    lines = result.text.splitlines()
    assert lines[:len(words)] == [f"ctl: faults: {bad} is not valid"
                                  for bad in words]
    rates = dict(re.findall(r"^([a-z-]+)\.\w+ +(\d+)", result.text,
                            flags=re.M))
    assert rates.pop("timer-storm") == "2"
    assert set(rates.values()) == {"0"}


def test_all_is_off_unless_asked_for(clean):
    result = clean("ctl", "faults", cpus=2)
    assert injected(result.text) and not any(injected(result.text).values())
