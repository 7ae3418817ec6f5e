"""The kernel's objects and its scheduler, checked from user mode."""

import pytest
from guest import report


@pytest.mark.parametrize("cpus", [1, 4])
def test_objects(clean, cpus):
    """Handles, IPC, notifications, threads, memory, faults, kills."""
    result = clean("objects", "seed=1", cpus=cpus)
    assert result.text.endswith(" checks, 0 failed\n"), report(result)


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_scheduler(clean, cpus):
    """Priorities, preemption, balancing."""
    result = clean("sched", cpus=cpus)
    assert result.text.endswith("sched: 0 failed\n"), report(result)
