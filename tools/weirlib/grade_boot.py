"""One boot of a lab's test, and its verdict.

A boot is bounded in each way: memory, processors and what it writes by the
host's limits, time by the test's budget. Time is what the host gave to the
machine: a thread of QEMU's that waits for a processor does not use it up, so
a slow or busy host costs nobody a point.
"""

import re
import secrets
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from functools import lru_cache

from weirlib import grade_records, vm, where

# Worst first; each with what to do about it, and the place to read.
VERDICTS = ("INFRA", "TAMPER", "BUILD", "TRIPLE-FAULT", "PANIC", "HANG",
            "OVERBUDGET", "FAIL", "PASS")
TRIES = 3               # of a boot that ends with INFRA
CONSOLE_MIB = 16        # most that one file of a machine may have
QEMU_GIB = 6            # of address space: memory is a fraction of it
STARVED = 10            # gets less than one second in so many: it hangs
SAMPLE_SECONDS = 0.25
BOOT_BUDGET = 60        # seconds until the test begins
STILL_SECONDS = 8       # of the budget's last: without progress it is a hang
TRACE = 8               # functions of a backtrace
OUTPUT = 4000           # bytes of output that are kept
FIRST_OF_SHELL = 92     # statuses that say how a program was ended
# Panics that say who waits for what.
WAITS = re.compile(r"has spun \d+ s for the lock|"
                   r"lost TLB acknowledgement|does not start")


@dataclass
class Outcome:
    """What one boot came to."""
    cpus: int
    seed: int
    verdict: str
    sentence: str
    parts: tuple = None
    seconds: float = 0.0        # that the machine got
    fails: list = field(default_factory=list)
    trace: list = field(default_factory=list)
    output: str = ""
    repeat: str = ""            # the command

    @property
    def share(self):
        """(right, of): the part of the points that this boot is worth."""
        if self.verdict == "PASS":
            return 1, 1
        if self.verdict != "FAIL" or not self.parts or not self.parts[1]:
            return 0, 1
        right, out_of = self.parts
        return min(right, out_of - 1), out_of


@lru_cache
def usable(*words):
    """These, if a command may stand behind them on this host; else ()."""
    fine = shutil.which(words[0]) and subprocess.run(
        [*words, "true"], capture_output=True, check=False).returncode == 0
    return words if fine else ()


def bounds(isolated, file_mib, memory_gib):
    """Before a command: it may write files of that size, have so much
    address space, and ends with us; one that is isolated has no network."""
    net = usable("unshare", "--map-root-user", "--net") if isolated else ()
    return [*net, *usable("prlimit", "--core=0", f"--fsize={file_mib << 20}",
                          f"--as={memory_gib << 30}"),
            *usable("setpriv", "--pdeathsig", "KILL")]


def waited(pid):
    """Thread -> seconds that it was ready and no processor was free."""
    found = {}
    try:
        for path in vm.Path(f"/proc/{pid}/task").iterdir():
            words = (path / "schedstat").read_text().split()
            found[path.name] = int(words[1]) / 1e9
    except (OSError, IndexError, ValueError):
        pass        # it has ended, or this host does not count
    return found


class Clock:
    """How long a process could run: time less what it had to wait."""

    def __init__(self, now):
        self.seconds = 0.0
        self.last, self.waits = now, {}

    def sample(self, pid, now):
        waits = waited(pid)
        lost = max((waits[t] - self.waits.get(t, 0) for t in waits),
                   default=0)
        passed = now - self.last
        self.seconds += max(passed - lost, 0)
        self.last, self.waits = now, waits


class Machine(vm.Machine):
    """A boot with a budget, and eyes on what it does when it is over."""

    def __init__(self, options, command, budget, reader, elf, isolated):
        super().__init__(options, command)
        self.budget, self.reader, self.elf = budget, reader, elf
        self.isolated = isolated
        self.clock = Clock(0.0)
        self.start = 0.0            # of the test, on our clock
        self.moved = 0.0            # when there was progress last
        self.idle = False           # at the last beat
        self.heard = (0.0, 0.0)     # the last sign: time, and on our clock
        self.places = []            # where its CPUs were
        self.stopped = False        # by us, for all is to end

    def arguments(self):
        return [*bounds(self.isolated, CONSOLE_MIB, QEMU_GIB),
                *super().arguments(), "-qmp",
                f"unix:{self.dir}/qmp,server=on,wait=off"]

    @property
    def seconds(self):
        return self.clock.seconds - self.start

    def _watch(self, start):
        self.clock = Clock(time.monotonic())
        super()._watch(start)

    def _record(self, kind, payload):
        super()._record(kind, payload)
        began = self.reader.report.began
        self.reader.take(kind, payload)
        if self.reader.report.began and not began:
            self.start = self.moved = self.clock.seconds

    def _beat(self, beat):
        before = self.progress
        super()._beat(beat)
        self.idle = beat.get("idle") == "1"
        if self.progress != before:
            self.moved = self.clock.seconds

    def _check(self, start):
        now = time.monotonic()
        if now - self.clock.last > SAMPLE_SECONDS:
            self.clock.sample(self.process.pid, now)
        verdict = super()._check(start) or self._over_budget()
        if verdict:
            self.places = where.look(self.dir / "qmp", self.options.cpus,
                                     self.elf)
        return verdict

    def _silent(self, now):
        """Of the time that the machine got, unless it gets next to none."""
        if self.last_sign != self.heard[0]:
            self.heard = self.last_sign, self.clock.seconds
        return max(self.clock.seconds - self.heard[1],
                   (now - self.last_sign) / STARVED)

    def _written(self):
        """Bytes of the larger of the two serial lines' files, which end
        where the limit is, without a word from QEMU."""
        return max(p.stat().st_size if p.exists() else 0
                   for p in (self.log, self.dir / "com2"))

    def _over_budget(self):
        if self.stopped:
            return vm.HOST, "It was interrupted."
        if self._written() >= CONSOLE_MIB << 20:
            return (vm.TIMEOUT, f"It wrote {CONSOLE_MIB} MiB to a serial "
                    "line.")
        began = self.reader.report.began
        if self.seconds <= (self.budget if began else BOOT_BUDGET):
            return None
        still = self.clock.seconds - self.moved
        if still > min(STILL_SECONDS, self.budget / 2):
            return (vm.HANG, f"Nothing happened for {still:.0f} s; " +
                    ("every CPU is idle, and all threads wait" if self.idle
                     else "a CPU runs in circles, or waits") + ".")
        return (vm.TIMEOUT, f"It took more than {self.budget:g} s." if began
                else f"No test began within {BOOT_BUDGET} s.")


def options_of(test, cpus, seed, iso):
    words = [w.replace("{seed}", str(seed or 1)) for w in test.words]
    return vm.Options(cpus=cpus, mem=test.mem, swap=test.swap, words=words,
                      iso=iso)


def backtrace(result, elf):
    """The functions of a panic's record, from the inside out."""
    text = next((payload.decode(errors="replace") for kind, payload
                 in result.records if kind == "panic"), "")
    found = re.findall(r"^    (ffff[0-9a-f]{12})\b", text, flags=re.M)
    return where.places(elf, [int(a, 16) for a in found[:TRACE]])


def last_line(result):
    lines = result.text.strip().splitlines() or ["it printed nothing"]
    return lines[-1][:200].rstrip(".")


def ended(result, report):
    """Verdict and sentence of a boot that came to its end by itself."""
    if report.ended and report.good and result.status == 0:
        right, out_of = report.parts or (1, 1)
        if right == out_of:
            return "PASS", "All is as it must be."
        return "FAIL", f"{right} of {out_of} parts are right."
    if report.ended:
        parts = report.parts and "; {} of {} parts are right".format(
            *report.parts) or ""
        if report.fails:
            return "FAIL", f"Not so: {report.fails[0]}{parts}."
        status = report.status or result.status
        why = f": {last_line(result)}" if status >= FIRST_OF_SHELL else ""
        return "FAIL", (f"The test's program ended with status {status}"
                        f"{why}{parts}.")
    if result.status == 0:
        return "TAMPER", ("The machine was switched off as after a success, "
                          "but the test runner did not say that the test "
                          "passed.")
    how = "began but did not end" if report.began else "did not begin"
    return "FAIL", (f"The test {how} (status {result.status}): "
                    f"{last_line(result)}.")


def judge(result, report, places):
    """(verdict, one sentence); docs/grading.md lists the verdicts."""
    said = result.verdict
    if report.forged:
        return "TAMPER", ("A record that looks like a verdict is not of the "
                          "test runner's: something wrote it to COM2, or "
                          "changed the runner's memory: "
                          f"{report.forged!r}.")
    if result.status == vm.HOST:
        return "INFRA", said
    if result.status == vm.PANIC:
        what = said.removeprefix("The kernel panicked: ")
        return ("HANG", f"A CPU waits in vain: {what}") \
            if WAITS.search(what) else ("PANIC", said)
    if result.status == vm.TRIPLE:
        return "TRIPLE-FAULT", ("The machine was reset without a word: a "
                                "fault while a fault was handled, as by a "
                                "bad stack, page table or IDT.")
    if result.status == vm.HANG:
        at = "; ".join(places)
        return "HANG", said.rstrip(".") + (f": {at}." if at else ".")
    if result.status == vm.TIMEOUT:
        return "OVERBUDGET", said
    return ended(result, report)


LIVE = set()            # Graders that boot now


def stop_all():
    for grader in list(LIVE):
        grader.stop()


class Grader:
    """Boots tests of one build. Everything that it starts it also ends."""

    def __init__(self, tree, lab, key, isolated=False, patience=1.0,
                 iso=None):
        self.tree, self.lab, self.key = tree, lab, key
        self.isolated, self.patience = isolated, patience
        self.iso = iso or tree / "build" / "weir.iso"
        self.elf = tree / "build" / "weir.elf"
        self.machines = set()
        self.stopped = False

    def stop(self):
        """Ends what runs, and all that would still begin."""
        self.stopped = True
        for machine in list(self.machines):
            machine.stopped = True

    def repeat(self, test, cpus, seed):
        line = ["tools/weir", "grade", self.lab.name, "--test", test.id,
                "--cpus", str(cpus)]
        return shlex.join(line + (["--seed", str(seed)] if seed else []))

    def boot(self, test, cpus, seed):
        """The Outcome; one that is of the host alone is tried again."""
        for _ in range(TRIES):
            outcome = self._once(test, cpus, seed)
            if outcome.verdict != "INFRA" or self.stopped:
                break
        return outcome

    def _once(self, test, cpus, seed):
        nonce = secrets.token_hex(8)
        reader = grade_records.Reader(self.key, nonce)
        machine = Machine(
            options_of(test, cpus, seed, self.iso),
            ["labrun", nonce, test.id, *shlex.split(test.command(seed))],
            test.budget * self.patience, reader, self.elf, self.isolated)
        machine.stopped = self.stopped
        self.machines.add(machine)
        try:
            result = machine.run()
        except OSError as error:    # the host's disk is full, or the like
            result = vm.Result(vm.HOST, f"The host could not run it: {error}.")
        finally:
            self.machines.discard(machine)
        report = reader.report
        verdict, sentence = judge(result, report, machine.places)
        trace = backtrace(result, self.elf) or machine.places
        return Outcome(cpus, seed, verdict, sentence, report.parts,
                       round(machine.seconds, 2), report.fails, trace,
                       result.text[-OUTPUT:], self.repeat(test, cpus, seed))
