"""Everything that pages, at once: user/tests/storm.c says what that is.

Anonymous memory goes to a disk through the block server.
"""

import json

import pytest
from guest import report, vm


def storm(clean, *words, **options):
    """A run's figures; a hang, a wrong byte, or a task that ended in another
    way than it must is a failure of `clean`."""
    result = clean("storm", "seconds=10", "json", *words, cpus=4, swap=24,
                   swap_disk=64, timeout=300, **options)
    figures = json.loads(result.text)
    assert figures["wrong"] == 0, report(result)
    assert figures["checks"] > 10_000, figures
    # Nothing was spared: both ways out and in were used.
    for counter in ("pswpin", "pswpout", "pager_in", "pager_out", "rounds"):
        assert figures[counter] > 0, figures
    return figures


@pytest.mark.parametrize("policy", vm.POLICIES)
def test_storm(clean, policy):
    assert storm(clean, "seed=7", tlb=policy)["policy"] == policy


def test_storm_under_changing_policies(clean):
    assert storm(clean, "seed=8", "switch=1")["policy"] == "switching"
