"""Paged objects: pagers that serve, and pagers that misbehave."""

import pytest
from guest import json_lines, report, vm


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_pagers(clean, cpus):
    """A pager that hangs, lies, refuses, dies, or waits for itself costs one
    task an error; no dirty page is lost with it (P5, P6)."""
    result = clean("pagers", cpus=cpus)
    assert result.text.endswith(" 0 failed\n"), report(result)
    assert result.text.count("page's pager or the swap device failed") == 6


@pytest.mark.parametrize("policy", vm.POLICIES)
@pytest.mark.parametrize("dirty", [0, 75])
def test_lru_mmap(clean, policy, dirty):
    """Clean pages of a pager are dropped without IO, dirty ones are written
    by it, after fence 1 as those that go to swap."""
    result = clean("lru-mmap", "--json", "W=24", f"dirty={dirty}", cpus=4,
                   tlb=policy)
    phases = json_lines(result)
    assert [p["phase"] for p in phases] == ["sequential", "random"]
    for p in phases:
        assert p["pgsteal"] > 1000 and p["pager_in"] > 1000, p
        assert (p["pager_out"] > 0) == (dirty > 0), p
        # A round for each batch; many are small, where several threads
        # reclaim for themselves.
        if policy != "immediate" and not dirty or policy == "two-pass":
            assert 10 * p["nr_tlb_remote_flush"] <= p["pgsteal"], p
