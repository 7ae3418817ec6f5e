"""What `make mutants`, `make soak` and `make machines` say of their runs.

Programs read it. The guests are not booted here: each run's end is given.
"""
import json
import types

import pytest
from drivers import ROOT
from weirlib import machines, mutants, soak, vm

import mutants as table


class Seldom:
    """A vm.run: its Results are those of `ends`, by planted bug."""

    def __init__(self, ends):
        self.ends, self.boots = ends, []

    def __call__(self, options, command):
        self.boots.append((options, command))
        bug = next((word.partition("=")[2] for word in options.words
                    if word.startswith("plant=")), "")
        status, verdict = self.ends.get(bug, (0, ""))
        return vm.Result(status, verdict, command=vm.shown(options, command))


# ---- mutants -------------------------------------------------------------
GUESTS = {"Z1": ["window saved"], "W8": ["window generation"],
          "W4": ["donation"]}


@pytest.fixture
def run_mutants(monkeypatch, tmp_path, capsys):
    """run_mutants(ends): the status, the lines, and the boots, of GUESTS."""
    def go(ends, seeds=2):
        guests = Seldom(ends)
        known = types.SimpleNamespace(
            MUTANTS=GUESTS, bugs=table.bugs, named=table.named,
            whole=table.whole)
        monkeypatch.setattr(vm, "run", guests)
        monkeypatch.setattr(mutants, "table", lambda: known)
        monkeypatch.setattr(mutants, "LOGS", tmp_path)
        status = mutants.mutants(types.SimpleNamespace(
            names=[], seeds=seeds, jobs=1))
        return status, capsys.readouterr().out.splitlines(), guests.boots
    return go


FOUND = {"Z1": (vm.PANIC, "The kernel panicked: P2."), "W8": (96, ""),
         "W4": (1, "")}


def test_mutants_that_are_caught(run_mutants, tmp_path):
    status, lines, boots = run_mutants(FOUND)
    assert status == 0
    assert lines[-1] == "3 planted, 3 caught"
    # Each of two seeds: three bugs, and the two programs without a bug.
    assert len(boots) == 2 * (3 + 2)
    log = (tmp_path / "Z1.log").read_text()
    assert "### window saved: P2.\n" in log
    assert ("tools/weir vm --cpus 6 --mem 96 --set check=tlb --set seed=2 "
            f"--set plant=Z1 --set delay=2:all --timeout {mutants.SECONDS} "
            "--iso build/planted/weir.iso -- window saved\n") in log


@pytest.mark.parametrize("end", [
    (0, ""), (2, ""), (96, ""), (98, ""), (vm.TRIPLE, "A reset."),
    (vm.HANG, "It hangs."), (vm.TIMEOUT, "Too long."),
    (vm.HOST, "The host could not run it: no QEMU.")])
def test_ends_that_find_nothing(run_mutants, end):
    """Such as those of a scene that there is not."""
    status, lines, _ = run_mutants({**FOUND, "Z1": end})
    assert status == 1
    assert lines[-1] == "3 planted, 2 caught"
    assert "Z1    NOT CAUGHT" in lines


@pytest.mark.parametrize("end", [(1, ""), (2, ""), (vm.HOST, "No QEMU.")])
def test_a_test_that_is_not_silent_catches_nothing(run_mutants, end):
    status, lines, _ = run_mutants({**FOUND, "": end})
    assert status == 1
    assert lines[-1] == "3 planted, 0 caught"


# ---- soak ----------------------------------------------------------------
OUTPUT = b"""\
point                                        one in   injected
swap-write.io_end                                10          3
timer-storm.tick                                  2         40
alloc-heap.task_create                          600          2
alloc-heap.thread_create                        600          5
pswpin 7
pswpout 11
pager_in 1
pager_out 2
faults_injected 50
"""


@pytest.fixture
def run_soak(monkeypatch, tmp_path, capsys):
    """run_soak(Result, ...): a boot each, then time is up."""
    def go(*results):
        left = list(results)
        report = tmp_path / "soak.json"
        report.write_text("old")
        clock = types.SimpleNamespace(
            monotonic=lambda: 30.0 * (len(results) - len(left)))
        monkeypatch.setattr(soak, "REPORT", report)
        monkeypatch.setattr(soak, "time", clock)
        monkeypatch.setattr(vm, "run", lambda *_: left.pop(0))
        status = soak.soak(types.SimpleNamespace(
            minutes=len(results) / 2, seed=5))
        text = report.read_text() if report.exists() else ""
        assert status == vm.HOST or text in capsys.readouterr().out
        return status, json.loads(text or "{}")
    return go


def test_soak(run_soak):
    status, report = run_soak(vm.Result(0, output=OUTPUT),
                              vm.Result(0, output=OUTPUT))
    assert status == 0
    assert (report["minutes"], report["boots"], report["seed"]) == (1.0, 2, 5)
    assert report["pages_moved"] == 2 * (7 + 11 + 1 + 2)
    assert report["faults_injected"] == 100
    assert report["faults"] == {"swap-write": 6, "timer-storm": 80,
                                "alloc-heap": 14}
    assert (report["violations"], report["what"]) == (0, [])


@pytest.mark.parametrize("bad", [
    vm.Result(vm.PANIC, "The kernel panicked: P1.", command="again"),
    vm.Result(vm.HANG, "It hangs.", command="again"),
    vm.Result(1, output=OUTPUT, command="again"),
    vm.Result(0, command="again")])     # status 0, and not a counter
def test_violations(run_soak, bad):
    status, report = run_soak(vm.Result(0, output=OUTPUT), bad)
    assert status == 1
    assert report["violations"] == len(report["what"]) == 1
    assert report["what"][0].startswith(f"again: status {bad.status}")


LATE = "mm: 34 MiB\npager: page 7 was not supplied within 10000 ms\n"


@pytest.mark.parametrize("status, output, console, late", [
    (1, b'{"wrong":0}\n', LATE, 1),
    (1, b'{"wrong":1}\n', LATE, 0),
    (1, b'{"wrong":0}\n', "mm: 34 MiB\n", 0),
    (vm.PANIC, b'{"wrong":0}\n', LATE, 0)])
def test_late(run_soak, status, output, console, late):
    code, report = run_soak(vm.Result(status, output=output, console=console,
                                      command="again"))
    assert (report["late"], report["violations"]) == (late, 1 - late)
    assert code == 1 - late


def test_a_host_that_cannot_run_it_is_no_violation(run_soak):
    assert run_soak(vm.Result(vm.HOST, "No QEMU.")) == (vm.HOST, {})
    status, report = run_soak(vm.Result(0, output=OUTPUT),
                              vm.Result(vm.HOST, "No QEMU."))
    assert status == vm.HOST and report["violations"] == 0


# ---- machines ------------------------------------------------------------
@pytest.mark.parametrize("last, code, clean", [
    ("5 passed in 3s", 0, True), ("5 passed, 2 skipped in 3s", 0, True),
    ("7 skipped in 3s", 0, False), ("no tests ran in 0s", 5, False),
    ("1 failed, 5 passed in 3s", 1, False)])
def test_machines(monkeypatch, capsys, last, code, clean):
    """Clean is where something ran, and nothing failed."""
    monkeypatch.setattr(machines.subprocess, "run", lambda *_, **__:
                        types.SimpleNamespace(returncode=code,
                                              stdout=f"...\n{last}\n"))
    status = machines.machines(types.SimpleNamespace(names=["EPYC"]))
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"1 machines, {int(clean)} clean"
    assert status == (0 if clean else 1)


def test_its_files_are_there():
    files = {path.name for path in
             (ROOT / machines.SCENARIOS).glob("test_*.py")}
    assert machines.ELSEWHERE | set(machines.HEART) <= files
