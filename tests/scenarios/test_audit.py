"""check=audit: the kernel stops and counts; mm/README.md says what."""

import re

import pytest
from guest import report, vm

AUDIT = "tlb,audit"
PROGRAMS = [(["lostwrite"], dict(tlb=policy)) for policy in vm.POLICIES] + [
    (["clones"], {}),
    (["quotas"], {}),
    (["pagers"], {}),
    (["killsweep"], {}),
    (["storm", "seconds=5", "switch=1"], {}),
    (["swapserver", "good"], dict(mem=64, swap=32)),
    (["swapserver", "die"], dict(mem=64, swap=32)),
]


@pytest.mark.parametrize("command, options", PROGRAMS)
@pytest.mark.parametrize("cpus", [1, 4])
def test_counts_agree(clean, command, options, cpus):
    """While it runs, and exactly when it is over."""
    words = ["swap=virtio"] * (command[0] == "swapserver")
    result = clean("audit", "ms=10", *command, cpus=cpus, check=AUDIT,
                   words=words, timeout=300, **options)
    (audits,) = re.findall(r"^audit: (\d+) audits, the last one at rest$",
                           result.text, flags=re.M)
    assert int(audits) >= 5, report(result)


def test_what_is_lost_is_found(weir):
    """tests/host/c/audit_test.c has more that must be found."""
    result = weir("audit", "leak", cpus=4, check=AUDIT)
    assert result.status == vm.PANIC, report(result)
    assert re.match(r"The kernel panicked: audit: slots 0+: "
                    r"1 counted, 0 found", result.verdict), report(result)


def test_only_where_it_is_asked_for(weir):
    result = weir("audit", cpus=2)
    assert result.status == 1
    assert result.text == "audit: no check=audit\n"
