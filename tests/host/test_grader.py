"""The grader's parts that need no machine."""

import base64
import json
import os
import select
import threading
import time
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from drivers import ROOT
from weirlib import (debug, grade, grade_batch, grade_boot, grade_build,
                     grade_records, grade_report, lab, vm, where)
from weirlib.siphash import siphash

KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
NONCE = "00112233aabbccdd"
# Tags of the empty message, of 8 and of 15 bytes: the paper's appendix A,
# and the vectors of the reference implementation.
VECTORS = {0: 0x726FDB47DD0E0E31, 8: 0x93F5F5799A932462,
           15: 0xA129CA6149BE45E5}


# --- records ------------------------------------------------------------------
def test_siphash_has_the_published_tags_in_c_and_python(driver):
    lines = driver("siphash_test", ["user/tests/labrun/siphash.c"],
                   shim=False)().split()
    assert len(lines) == 64
    for length, line in enumerate(lines):
        assert int(line, 16) == siphash(KEY, bytes(range(length)))
    for length, tag in VECTORS.items():
        assert int(lines[length], 16) == tag


def note(text, key=KEY):
    body = f"lab {text}".encode()
    return "note", body + b" %016x" % siphash(key, body)


def read(*notes):
    reader = grade_records.Reader(KEY, NONCE)
    for kind, payload in notes:
        reader.take(kind, payload)
    return reader.report


GOOD = (note(f"{NONCE} 0 begin ack"), note(f"{NONCE} 1 fail a.c:3: x == 1"),
        note(f"{NONCE} 2 part 2 3"), note(f"{NONCE} 3 end failed 1 1"))


def test_genuine_records_are_believed():
    report = read(("out", b"lab 0 0 end ok"), ("note", b"labour"), *GOOD)
    assert (report.began, report.ended, report.good) == (True, True, False)
    assert report.fails == ["a.c:3: x == 1"] and report.parts == (2, 3)
    assert (report.status, report.failed, report.forged) == (1, 1, "")


@pytest.mark.parametrize("what, notes", {
    "another key": [note(f"{NONCE} 0 end ok 0 0", (1, 2))],
    "another boot's nonce": [note("ffff 0 end ok 0 0")],
    "a record twice": [GOOD[0], GOOD[0]],
    "one left out": [GOOD[0], GOOD[2]],
    "a changed byte": [("note", GOOD[0][1].replace(b"ack", b"nak"))],
    "a text alone": [("note", b"lab PASS")],
}.items())
def test_forged_records_are_seen(what, notes):
    report = read(*notes)
    assert report.forged and not report.good, what


def test_the_key_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "labkey.h"
    path.write_text(grade_records.key_text((1, (1 << 64) - 1)))
    assert grade_records.read_key(path) == (1, (1 << 64) - 1)


# --- verdicts and points ------------------------------------------------------
def result(status=0, verdict="", text="said\n", records=()):
    return SimpleNamespace(status=status, verdict=verdict, text=text,
                           records=list(records))


@pytest.mark.parametrize("ended, notes, verdict, words", [
    (result(), GOOD[:1] + (note(f"{NONCE} 1 end ok 0 0"),), "PASS", "All"),
    (result(1), GOOD, "FAIL", "a.c:3: x == 1; 2 of 3 parts are right."),
    (result(), GOOD[:1], "TAMPER", "did not say"),
    (result(), (), "TAMPER", "did not say"),
    (result(96), (), "FAIL", "did not begin (status 96): said."),
    (result(97), GOOD[:1], "FAIL", "began but did not end (status 97)"),
    (result(101, "The kernel panicked: x."), GOOD[:1], "PANIC", "x."),
    (result(101, "The kernel panicked: cpu 1 has spun 10 s for the lock "
            "'frame', which cpu 0 holds."), GOOD[:1], "HANG",
     "cpu 1 has spun 10 s for the lock 'frame', which cpu 0 holds"),
    (result(101, "The kernel panicked: I21: lost TLB acknowledgement: cpu 0 "
            "asked 2."), GOOD[:1], "HANG", "lost TLB acknowledgement"),
    (result(102), (), "TRIPLE-FAULT", "reset"),
    (result(103, "The machine hangs: silence."), (), "HANG",
     "silence: cpu 0 is halted."),
    (result(104, "It took more than 3 s."), GOOD[:1], "OVERBUDGET", "3 s"),
    (result(105, "The host could not run it: no memory."), (), "INFRA",
     "no memory"),
    # A forged record is worse than whatever else there is.
    (result(101, "The kernel panicked: x."), (("note", b"lab "),), "TAMPER",
     "looks like a verdict"),
])
def test_verdict_and_sentence(ended, notes, verdict, words):
    got, sentence = grade_boot.judge(ended, read(*notes),
                                     ["cpu 0 is halted"])
    assert got == verdict and words in sentence
    assert sentence.endswith(".") and "\n" not in sentence


def outcome(verdict, parts=None, cpus=1, seed=None):
    return grade_boot.Outcome(cpus, seed, verdict, "Why.", parts,
                              repeat="again")


@pytest.mark.parametrize("outcomes, earned", [
    ([outcome("PASS"), outcome("PASS")], 10),
    ([outcome("PASS"), outcome("FAIL", (2, 3))], 6),        # 6.67
    ([outcome("FAIL", (1, 3)), outcome("FAIL", (2, 3))], 3),
    ([outcome("FAIL")], 0),
    ([outcome("FAIL", (3, 3))], 6),     # something was not so, though
    ([outcome("PANIC", (2, 3))], 0),
    ([outcome("PASS"), outcome("HANG")], 0),
])
def test_points_are_those_of_the_worst_boot(outcomes, earned):
    test = lab.Test("t", "T", 10, "true", 5)
    row = grade.row(test, outcomes)
    assert row["earned"] == earned
    assert row["verdict"] == grade.worst(o.verdict for o in outcomes)


class Scripted:
    """A grader whose boots end as the script says, in its order."""
    stopped = False

    def __init__(self, script):
        self.script, self.asked = script, []

    def boot(self, test, cpus, seed):
        self.asked.append((test.id, cpus, seed))
        return outcome(self.script.get((test.id, seed), "PASS"), None, cpus,
                       seed)

    def stop(self):
        self.stopped = True


def run_scripted(script, tests, seeds=None):
    grader = Scripted(script)
    rows = grade.Run(grader, grade.Cores(1), lambda text: None).all(
        tests, seeds=seeds)
    return rows, grader.asked


def test_a_test_that_is_worth_nothing_boots_no_more():
    tests = [lab.Test("a", "A", 10, "a {seed}", 5, [1, 2], 3),
             lab.Test("b", "B", 5, "b", 5, [4])]
    rows, asked = run_scripted({("a", 2): "PANIC"}, tests)
    assert asked == [("a", 1, 1), ("a", 1, 2), ("b", 4, None)]
    assert [r["earned"] for r in rows] == [0, 5]
    rows, asked = run_scripted({}, tests, seeds=range(1, 6))
    assert len(asked) == 11 and all(r["verdict"] == "PASS" for r in rows)


def test_infra_is_tried_again_and_makes_the_score_incomplete(monkeypatch):
    grader = grade_boot.Grader(ROOT, SimpleNamespace(name="x"), KEY)
    tried = []

    def once(test, cpus, seed):
        tried.append(cpus)
        return outcome("INFRA" if len(tried) < 3 else "PASS")
    monkeypatch.setattr(grader, "_once", once)
    test = lab.Test("t", "T", 10, "true", 5)
    assert grader.boot(test, 1, None).verdict == "PASS" and len(tried) == 3
    toy = lab.Lab("x", ROOT, 1, "X", 1, [], 0, [test])
    done = grade.results(toy, [grade.row(test, [outcome("INFRA")])], 1)
    assert not done["complete"]
    assert "this host is to blame" in grade_report.console(done)
    assert grade.results(toy, [grade.row(test, [outcome("FAIL")])],
                         1)["complete"]


def test_cores_are_never_overcommitted():
    cores, most, busy = grade.Cores(2), [0], [0]
    lock = threading.Lock()

    def use(wanted):
        taken = cores.take(wanted)
        with lock:
            busy[0] += taken
            most[0] = max(most[0], busy[0])
        time.sleep(0.001)
        with lock:
            busy[0] -= taken
        cores.give(taken)
    threads = [threading.Thread(target=use, args=(n,))
               for n in (1, 2, 4, 1, 1, 2) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2 and cores.free == 2


def test_the_clock_leaves_out_what_the_host_did_not_give(monkeypatch):
    """Two threads; the one that waited longer decides."""
    waits = iter([{"1": 0.0, "2": 0.0}, {"1": 0.5, "2": 3.0},
                  {"1": 0.5, "2": 13.0}, {"1": 0.5}])
    monkeypatch.setattr(grade_boot, "waited", lambda pid: next(waits))
    clock = grade_boot.Clock(100.0)
    for now, seconds in ((101, 1), (106, 3), (111, 3), (112, 4)):
        clock.sample(0, float(now))
        assert clock.seconds == pytest.approx(seconds)


def test_silence_is_of_the_time_that_the_machine_got():
    """Only who gets next to nothing hangs by the time that passed."""
    machine = grade_boot.Machine(vm.Options(), [], 5, None, None, False)
    machine.last_sign = 1000.0
    machine.clock.seconds = 7.0
    assert machine._silent(1000.0) == 0
    machine.clock.seconds = 9.0
    assert machine._silent(1015.0) == pytest.approx(2)
    assert machine._silent(1400.0) == pytest.approx(40)
    machine.last_sign = 1400.0
    assert machine._silent(1400.0) == 0


def test_this_host_counts_waiting():
    assert grade_boot.waited(os.getpid())
    assert grade_boot.waited(0) == {}


# --- reports ------------------------------------------------------------------
@pytest.fixture
def done():
    tests = [lab.Test("a", "Good", 10, "a", 5),
             lab.Test("b", "Bad", 20, "b", 5, visibility="hidden",
                      hint="A hint.", see="handout.md#b")]
    toy = lab.Lab("toy", ROOT, 1, "A <toy>", 1, [], 0, tests)
    bad = outcome("PANIC")
    bad.sentence, bad.trace = "It said \x01 & <this>.", ["f (mm/x.c:1)"]
    return grade.results(toy, [grade.row(tests[0], [outcome("PASS")]),
                               grade.row(tests[1], [bad])], 12.3,
                         name="ann", notes=["A note."])


@pytest.fixture
def unbuilt():
    toy = lab.Lab("toy", ROOT, 1, "Toy", 1, [], 0,
                  [lab.Test("a", "A", 10, "a", 5)])
    return grade.results(toy, [], 1, ("BUILD", "It does not build: x."))


def test_console_is_worst_first_and_ends_with_the_score(done, unbuilt):
    lines = grade_report.console(done).splitlines()
    assert lines[1].split()[:2] == ["PANIC", "0/20"]
    assert [line.strip() for line in lines[2:7]] == [
        "It said \x01 & <this>. (1 CPU)", "in f (mm/x.c:1)",
        "hint: A hint.", "read: handout.md#b", "repeat: again"]
    assert lines[7].split()[0] == "PASS" and lines[-1] == "Score: 10/30"
    assert grade_report.console(unbuilt).splitlines()[1:] == [
        "BUILD        It does not build: x.", "Score: 0/10"]


def test_a_trace_is_shown_once(done):
    done["tests"].append({**done["tests"][1], "id": "c"})
    assert grade_report.console(done).count("in f (mm/x.c:1)") == 1


def test_gradescope(done, unbuilt):
    got = json.loads(grade_report.gradescope(done))
    assert got["score"] == 10
    assert [(t["score"], t["max_score"], t["status"], t["visibility"])
            for t in got["tests"]] == [(0, 20, "failed", "hidden"),
                                       (10, 10, "passed", "visible")]
    assert json.loads(grade_report.gradescope(unbuilt))["output"] == \
        "It does not build: x."


def test_github_classroom(done, unbuilt):
    line = grade_report.github(done)
    assert line.startswith("result=") and line.count("\n") == 1
    got = json.loads(base64.b64decode(line.removeprefix("result=")))
    assert (got["version"], got["status"], got["max_score"]) == (1, "fail",
                                                                 30)
    assert sum(t["score"] for t in got["tests"]) == 10
    assert [(t["name"], t["message"]) for t in got["tests"]] == \
        [("hidden", ""), ("Good", "")]
    got = json.loads(base64.b64decode(
        grade_report.github(unbuilt).removeprefix("result=")))
    assert got["tests"][0]["status"] == "error"
    workflow = grade_report.classroom(done)
    assert "tools/weir grade toy --json results.json --github result" in \
        workflow
    assert 'WEIR_RESULTS: "${{ steps.weir.outputs.result }}"' in workflow


def test_junit(done, unbuilt):
    suite = ElementTree.fromstring(grade_report.junit(done))
    assert (suite.get("tests"), suite.get("failures"),
            suite.get("errors")) == ("2", "1", "0")
    failure = suite.find("testcase[@name='b']/failure")
    assert failure.get("message") == "It said ? & <this>."
    suite = ElementTree.fromstring(grade_report.junit(unbuilt))
    assert suite.get("errors") == "1"
    assert suite.find("testcase/error").get("type") == "BUILD"


def test_tap_and_csv(done, unbuilt):
    assert grade_report.tap(done).splitlines()[:4] == [
        "TAP version 13", "1..2", "ok 1 - a (10/10) PASS",
        "not ok 2 - b (0/20) PANIC"]
    assert "Bail out! BUILD" in grade_report.tap(unbuilt)
    assert grade_report.as_csv(done).splitlines()[2] == "a,10,10,PASS,Why."
    assert "BUILD,It does not build: x." in grade_report.as_csv(unbuilt)


# --- submissions --------------------------------------------------------------
def test_only_plain_files_of_a_fair_size_are_taken(tmp_path):
    (tmp_path / "mm").mkdir()
    (tmp_path / "mm" / "good.c").write_text("int x;\n")
    assert grade_batch.take(tmp_path, "mm/good.c") == b"int x;\n"
    assert grade_batch.take(tmp_path, "mm/none.c") is None
    (tmp_path / "mm" / "link.c").symlink_to("good.c")
    (tmp_path / "dir").symlink_to("mm")
    os.mkfifo(tmp_path / "mm" / "fifo.c")
    (tmp_path / "mm" / "folder.c").mkdir()
    (tmp_path / "mm" / "nul.c").write_bytes(b"a\0b")
    with open(tmp_path / "mm" / "huge.c", "wb") as file:
        file.truncate(1 << 40)
    for name, words in {"mm/link.c": "symbolic link", "dir/good.c": "link",
                        "mm/fifo.c": "no", "mm/folder.c": "not a file",
                        "mm/nul.c": "no text",
                        "mm/huge.c": "more than"}.items():
        with pytest.raises(grade_build.Refused) as caught:
            grade_batch.take(tmp_path, name)
        assert caught.value.args[0] == "TAMPER"
        assert words in caught.value.args[1]


def test_what_is_not_as_handed_out_is_named(tmp_path):
    toy = lab.Lab("toy", tmp_path, 1, "Toy", 1, ["mm/yours.c"], 0, [])
    for name in ("mm/yours.c", "mm/ours.c", "mm/gone.c", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("as it was\n")
    folder = tmp_path / "labs" / "toy"
    folder.mkdir(parents=True)
    (folder / "manifest").write_text(lab.manifest(tmp_path, {"mm/yours.c"}))
    grade_build.check(tmp_path, toy)
    (tmp_path / "mm/yours.c").write_text("changed\n")
    (tmp_path / "README.md").write_text("changed\n")
    (tmp_path / "notes.txt").write_text("mine\n")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "made.c").write_text("made\n")
    grade_build.check(tmp_path, toy)
    (tmp_path / "mm/ours.c").write_text("changed\n")
    (tmp_path / "mm/gone.c").unlink()
    (tmp_path / "mm/new.c").write_text("new\n")
    with pytest.raises(grade_build.Refused) as caught:
        grade_build.check(tmp_path, toy)
    assert caught.value.args[1].startswith(
        "Not as handed out: mm/gone.c, mm/new.c, mm/ours.c; ")


def test_a_build_that_does_not_end_is_ended(tmp_path):
    """With all that it started."""
    pid = tmp_path / "pid"
    status, output = grade_build.run(
        ["sh", "-c", f"sleep 1000 & echo $! >{pid}; wait"], tmp_path, 0.5)
    assert status < 0 and "took longer" in output
    try:
        child = os.pidfd_open(int(pid.read_text()))
    except ProcessLookupError:
        return
    ended, _, _ = select.select([child], [], [], 10)
    os.close(child)
    assert ended


# --- the debugger -------------------------------------------------------------
def test_places_of_a_lab_are_the_lines_after_its_marks(tmp_path,
                                                       monkeypatch):
    folder = tmp_path / "labs" / "toy"
    folder.mkdir(parents=True)
    (folder / "lab.toml").write_text(
        'number = 1\ntitle = "T"\nhours = 1\nfiles = ["mm/a.c"]\nfloor = 0\n'
        '[[test]]\nid = "a"\ntitle = "A"\npoints = 1\nrun = "a"\n'
        "budget = 1\n")
    (tmp_path / "mm").mkdir()
    (tmp_path / "mm" / "a.c").write_text(
        "int a;\n/* Your code (lab toy): x */\nint b;\n/* End of your code */"
        "\n/* LAB toy begin: y */\nint c;\n/* LAB other begin: z */\n")
    toy = lab.load("toy", tmp_path)
    monkeypatch.setattr(lab, "load", lambda name: toy)
    monkeypatch.setattr(debug.vm, "ROOT", tmp_path)
    assert debug.places("toy") == ["mm/a.c:3", "mm/a.c:6"]


def test_places_of_addresses_without_a_kernel(tmp_path):
    assert where.places(tmp_path / "none", [0xFFFFFFFF80100000]) == \
        ["0xffffffff80100000"]
    assert where.look(tmp_path / "none", 1, tmp_path / "none") == []
