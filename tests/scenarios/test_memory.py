"""Memory objects: clones, pinned pages, and quotas of what a task may have."""

import pytest
from guest import report


@pytest.mark.parametrize("cpus", [1, 4])
def test_clones(clean, cpus):
    """Shared until written; each a moment's picture, also under reclaim."""
    result = clean("clones", cpus=cpus, mem=64)
    assert result.text.endswith(" checks, 0 failed\n"), report(result)


@pytest.mark.parametrize("cpus", [1, 4])
def test_quotas(clean, cpus):
    """Who passes a limit is told, or dies; nobody else notices."""
    result = clean("quotas", cpus=cpus)
    assert result.text.endswith(" checks, 0 failed\n"), report(result)
