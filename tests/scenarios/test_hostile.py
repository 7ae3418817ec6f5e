"""Programs that do their worst: killed anywhere, or asking for anything."""

import re

import pytest
from guest import report


@pytest.mark.parametrize("cpus", [1, 2])
def test_killed_at_every_system_call(clean, cpus):
    """P4: the partner is told, and not a frame, slot or task is left."""
    result = clean("killsweep", cpus=cpus)
    swept, client, server = map(int, re.search(
        r"(\d+) boundaries: the client's (\d+) calls, the server's (\d+)",
        result.text).groups())
    assert swept == 2 * (client + server), report(result)
    assert client >= 20 and server >= 20, report(result)
    assert result.text.endswith("killsweep: 0 failed\n")
