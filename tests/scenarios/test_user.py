"""User space: the runtime's own test, faults, the shell and its console."""

import pexpect
import pytest
from guest import PROMPT


@pytest.mark.parametrize("cpus", [1, 4])
def test_selftest(clean, cpus):
    assert clean("selftest", cpus=cpus).text.endswith(" 0 failed\n")


@pytest.mark.parametrize("how", [
    "null", "text", "rodata", "kernel", "divide", "privileged", "illegal",
    "execute", "stack", "memory"])
def test_a_fault_ends_one_task(weir, how):
    """The shell lives on to say so, and passes on the status."""
    result = weir("crash", how, cpus=2)
    assert result.status == 97, result.console
    assert "crash: killed: " in result.text


@pytest.mark.parametrize("command,status", [
    (["nosuch"], 98), (["poweroff", "7"], 7), (["poweroff", "100"], 2),
    (["ctl", "tlb", "sometimes"], 2), (["echo", "a  b"], 0)])
def test_exit_status(weir, command, status):
    assert weir(*command, cpus=1).status == status


def test_output_is_byte_exact(clean):
    assert clean("echo", "a  b", 'c"d', "e\\f").text == 'a  b c"d e\\f\n'


def test_ctl_changes_what_it_shows(clean):
    assert "delay 0\n" in clean("ctl", cpus=1).text
    assert "delay 70\n" in clean("ctl", cpus=1, words=["delay=70"]).text


def say(console, keys, answer):
    console.send(keys)
    console.expect(answer + r"\r*\n")
    console.expect(PROMPT)


def test_console(console):
    say(console, "echo one 'a  b' \"c\\\"d\" e\\ f\r", 'one a  b c"d e f')
    # ctrl-A is QEMU's own key; Home does the same.
    say(console, "cho two\x1b[He\x1b[F three\r", "two three")
    say(console, "echo xy\x7f\x1b[D\x1b[3~z\r", "\nz")
    say(console, "nonsense\x15echo four five\x17six\r", "four six")
    say(console, "echo gone\x0b\x1b[D\x1b[D\x1b[D\x1b[D\x0b7\r", "\n7")
    say(console, "\x1b[A\x1b[A\x1b[B\x1b[A\r", "four six")
    say(console, "nosuch\r", r"\[status 98\]")
    say(console, "crash null\r", r"\[status 97\]")
    say(console, "help\r", "ends it all.")
    say(console, "exit\r", "starting another")
    console.send("poweroff 5\r")
    console.expect(pexpect.EOF)
    console.close()
    assert console.exitstatus == 5


def test_ctrl_c_ends_a_program(console):
    console.send("wl ops=1000000000\r")
    console.expect("populate")
    console.send("\x03")
    console.expect(r"\[status 95\]")
    console.expect(PROMPT)
    say(console, "echo alive\r", "alive")
    say(console, "echo given up\x03echo kept\r", "\nkept")


def test_ctrl_c_ends_the_workers_too(console):
    """A task's end is the end of the tasks that it created."""
    console.send("wl variant=procs T=3 ops=1000000000\r")
    console.expect("populate")
    console.send("\x03")
    console.expect(r"\[status 95\]")
    console.expect(PROMPT)
    console.send("ps\r")
    console.expect(PROMPT)
    assert "shell" in console.before and " wl " not in console.before
