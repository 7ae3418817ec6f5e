"""The shell's tools, at the console and by run=; test_user.py has the rest."""

import json
import re

import pexpect
import pytest
from guest import PROMPT, ROOT, report


def command(console, text):
    console.send(text + "\r")
    console.expect(PROMPT)
    return console.before


def test_help_lists_the_tools(console):
    said = command(console, "help")
    for tool in ("ps", "vmstat", "ctl", "poweroff", "wl", "lostwrite", "demo"):
        assert tool in said


def test_ps_and_vmstat(console):
    assert "init" in command(console, "ps")
    assert re.search(r"nr_tlb_remote_flush\s+\d+", command(console, "vmstat"))


def test_ctl_switches_the_policy(console):
    command(console, "ctl tlb immediate")
    assert "immediate" in command(console, "ctl")


def test_poweroff(console):
    console.send("poweroff 42\r")
    console.expect(pexpect.EOF)
    console.close()
    assert console.exitstatus == 42


@pytest.mark.parametrize("status", [0, 1, 42, 99])
def test_status_codes(weir, status):
    result = weir("poweroff", str(status), cpus=1)
    assert (result.status, result.verdict) == (status, ""), report(result)


def test_vmstat_json(clean):
    counters = json.loads(clean("vmstat", "--json", cpus=2).text)
    assert counters["pgfault"] > 0
    names = re.findall(r"^COUNTER\((\w+)",
                       (ROOT / "kernel/abi/counters.def").read_text(),
                       flags=re.M)
    assert set(names) <= set(counters)
