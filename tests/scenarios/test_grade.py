"""The grader, on a toy lab: each verdict, a hostile class, many machines."""

import csv
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import toyclass
from guest import ROOT
from weirlib import grade_boot, grade_records, lab

WEIR = str(ROOT / "tools" / "weir")
# Test of the toy lab -> verdict, points of 10, words of the sentence.
ROWS = {
    "pass": ("PASS", 10, ""),
    "parts": ("FAIL", 6, "2 of 3 parts are right."),
    "seeds": ("FAIL", 0, "Not so: toylab.c:"),
    "wrong": ("FAIL", 0, "1 + 1 == 3."),
    "fault": ("FAIL", 0, "status 97: toylab: killed: no access"),
    "none": ("FAIL", 0, "cannot start /bin/nosuch: no such program"),
    "forge": ("TAMPER", 0, "not of the test runner's"),
    "off": ("TAMPER", 0, "did not say that the test passed"),
    "panic": ("PANIC", 0, "a test asked for this panic"),
    "forever": ("HANG", 0, "every CPU is idle, and all threads wait: "
                           "cpu 0 is halted"),
    "ack": ("HANG", 0, "I21: lost TLB acknowledgement: cpu 0 asked cpus 2, "
                       "still waits for 2"),
    "busy": ("OVERBUDGET", 0, "It took more than 3 s."),
    "flood": ("OVERBUDGET", 0, "It took more than 3 s."),
}


@pytest.fixture(scope="module")
def tree(iso, tmp_path_factory):
    return toyclass.make_tree(tmp_path_factory.mktemp("toy") / "tree")


def weir(*words, tree=None, env=None):
    command = [str(tree / "tools" / "weir") if tree else WEIR, *words]
    return subprocess.run(command, capture_output=True, text=True,
                          env=env, check=False, stdin=subprocess.DEVNULL)


def test_each_verdict_has_a_sentence(tree, tmp_path):
    done = weir("grade", "toy", "--csv", str(tmp_path / "csv"), tree=tree)
    result = json.loads((tree / "build" / "results.json").read_text())
    rows = {r["id"]: r for r in result["tests"]}
    assert rows.keys() == ROWS.keys(), done.stderr
    for name, (verdict, earned, words) in ROWS.items():
        row = rows[name]
        assert (row["verdict"], row["earned"]) == (verdict, earned), row
        assert words in row["sentence"], row
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[-1] == "Score: 16/130"
    verdicts = [line.split()[0] for line in lines if " Toy: " in line]
    assert verdicts[0] == "TAMPER" and verdicts[-1] == "PASS"
    assert "in sys_sys_ctl (kernel/sys_system.c:" in done.stdout
    # Of the seeds the bad one, the hint, and how to see it again.
    at = next(i for i, line in enumerate(lines) if " seeds: " in line)
    assert "seed 2)" in lines[at + 1]
    assert [line.strip() for line in lines[at + 2:at + 5]] == [
        "hint: Look at seed 2.", "read: handout.md#seeds",
        f"repeat: {rows['seeds']['repeat']}"]
    again = weir(*rows["seeds"]["repeat"].split()[1:], tree=tree)
    assert again.returncode == 1 and "Not so: toylab.c:" in again.stdout
    good = weir("grade", "toy", "--test", "pass", tree=tree)
    assert good.returncode == 0
    assert good.stdout.endswith("\nScore: 10/10\n")


def machine_of(parent):
    """The QEMU that a grader of ours runs, by its number; None: not yet."""
    done = subprocess.run(["pgrep", "-P", str(parent), "qemu-system"],
                          capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0]) if done.stdout else None


def grade_busy(tree):
    """A grader, and the machine of its test, which does not end."""
    grader = subprocess.Popen(
        [str(tree / "tools" / "weir"), "grade", "toy", "--test", "busy"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        # Who runs the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while machine_of(grader.pid) is None:
        assert grader.poll() is None
        time.sleep(0.05)
    return grader, machine_of(grader.pid)


def test_a_machine_that_the_host_kills_is_booted_again(tree):
    """INFRA costs nothing: what counts is the boot after it."""
    grader, machine = grade_busy(tree)
    os.kill(machine, signal.SIGKILL)
    output, _ = grader.communicate(timeout=100)
    assert "OVERBUDGET     0/10  busy" in output and "INFRA" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGKILL])
def test_no_machine_outlives_its_grader(tree, number):
    grader, machine = grade_busy(tree)
    handle = os.pidfd_open(machine)
    grader.send_signal(number)
    output, _ = grader.communicate(timeout=100)
    ended, _, _ = select.select([handle], [], [], 10)
    os.close(handle)
    assert ended and grader.returncode != 0 and "Score" not in output


@pytest.mark.labs
@pytest.mark.timeout(1500)
def test_who_prints_without_end_does_not_fill_the_disk(tree, monkeypatch):
    weir("grade", "toy", "--test", "pass", tree=tree)       # builds
    toy = lab.load("toy", tree)
    test = next(t for t in toy.tests if t.id == "flood")
    test.budget = 100
    monkeypatch.setattr(grade_boot, "CONSOLE_MIB", 1)
    key = grade_records.read_key(tree / "build" / "key" / "labkey.h")
    outcome = grade_boot.Grader(tree, toy, key).boot(test, 1, None)
    assert (outcome.verdict, outcome.sentence) == (
        "OVERBUDGET", "It wrote 1 MiB to a serial line.")


def test_a_tree_with_other_tests_is_not_booted(tree, tmp_path):
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy, symlinks=True,
                    ignore=shutil.ignore_patterns("build"))
    (copy / "mm" / "mine.c").write_text("int mine;\n")
    with open(copy / "user/tests/toylab.c", "a", encoding="utf-8") as file:
        file.write("/* mine */\n")
    done = weir("grade", "toy", tree=copy)
    assert done.returncode == 1 and not (copy / "build/weir.iso").exists()
    assert "TAMPER       Not as handed out: mm/mine.c, user/tests/toylab.c;" \
        in done.stdout
    assert done.stdout.endswith("\nScore: 0/130\n")


@pytest.fixture(scope="module")
def batch(tree, tmp_path_factory):
    """batch(kinds): a class, and the command that grades it."""
    def make(*kinds):
        folder = tmp_path_factory.mktemp("batch")
        made = toyclass.make_class(folder / "class", tree, kinds)
        return made, folder / "out", [
            "grade", "toy", "--tree", str(tree), "--starter", str(tree),
            "--batch", str(folder / "class"), "--out", str(folder / "out"),
            "--test", "pass", "--test", "parts"]
    return make


def left_over(start):
    """Our programs, and folders in /tmp, that came after `start`."""
    folders = [p for p in Path("/tmp").glob("weir-grade-*")
               if p.stat().st_mtime > start]
    machines = subprocess.run(["pgrep", "-f", "labrun [0-9a-f]{16} toy"],
                              capture_output=True, text=True, check=False)
    return folders, machines.stdout.split()


def check_class(made, out):
    with open(out / "summary.csv", encoding="utf-8") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    assert rows.keys() == made.keys()
    for name, kind in made.items():
        verdict, score = toyclass.EXPECTED[kind]
        row = rows[name]
        assert (row["verdict"], int(row["score"])) == (verdict, score), row
        assert row["total"] == "20" and row["complete"] == "True", row


@pytest.mark.labs
@pytest.mark.timeout(1500)
def test_a_hostile_class_gets_the_stated_verdicts(batch):
    start = time.time()
    made, out, command = batch(*toyclass.EXPECTED)
    strict = {**os.environ, "CI": "true"}   # a warning is still no error
    done = weir(*command, "--jobs", "2", env=strict)
    assert done.returncode == 0, done.stderr
    check_class(made, out)
    assert left_over(start) == ([], [])
    # Again: everything is known.
    again = weir(*command, "--jobs", "2")
    assert again.returncode == 0 and "submissions in" in again.stdout
    assert len(again.stdout.splitlines()) < len(toyclass.EXPECTED) / 2
    check_class(made, out)


@pytest.mark.labs
@pytest.mark.timeout(1500)
def test_staff_has_hidden_tests_and_files_of_its_own(batch, tmp_path):
    made, out, command = batch("right")
    name, = made
    staff = tmp_path / "staff"
    (staff / "labs" / "toy").mkdir(parents=True)
    (staff / "user" / "tests").mkdir(parents=True)
    (staff / "labs" / "toy" / "hidden.toml").write_text(
        '[[test]]\nid = "hidden"\ntitle = "Hidden"\npoints = 5\n'
        'run = "stafflab {seed}"\ncpus = [1]\nseeds = 2\nbudget = 5\n'
        'visibility = "hidden"\n')
    (staff / "user" / "tests" / "stafflab.c").write_text(
        '#include "user/tests/check.h"\n\nint main(int argc, char **argv)\n'
        "{\n\tCHECK(argc == 2 && argv[1][0] <= '3');\n"
        "\treturn failures != 0;\n}\n")
    done = weir(*command, "--overlay", str(staff), "--test", "hidden",
                "--seeds", "4", "--only", name, "--gradescope",
                str(tmp_path / "gradescope"))
    assert done.returncode == 0, done.stderr
    rows = {r["id"]: r for r in
            json.loads((out / f"{name}.json").read_text())["tests"]}
    assert rows["pass"]["earned"] == 10
    assert rows["hidden"]["visibility"] == "hidden"
    assert [b["seed"] for b in rows["hidden"]["boots"]] == [1, 2, 3, 4]
    assert "--seed 4" in rows["hidden"]["repeat"]
    told = json.loads((tmp_path / "gradescope").read_text())
    assert [t["visibility"] for t in told["tests"]
            if t["name"] == "hidden: Hidden"] == ["hidden"]
    again = weir("grade", "--from", str(out / f"{name}.json"), "--tap",
                 str(tmp_path / "tap"))
    assert again.stdout.endswith("\nScore: 16/25\n")
    assert "ok 1 - pass (10/10) PASS" in (tmp_path / "tap").read_text()


# --- many machines ------------------------------------------------------------
def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemons:
    """Programs that run as long as a test, each ended by its own number."""

    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self, *command, ready=lambda: True):
        """Returns once it is ready."""
        with open(self.folder / "daemons.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL)
        self.running.append(process)
        end = time.monotonic() + 30
        while not ready():
            assert process.poll() is None and time.monotonic() < end, \
                (self.folder / "daemons.log").read_text()
            time.sleep(0.05)

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
            process.wait(20)


@pytest.fixture
def daemons(tmp_path):
    running = Daemons(tmp_path)
    yield running
    running.stop()


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def make_keys(folder):
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        folder / name], check=True)


@pytest.mark.labs
@pytest.mark.timeout(1500)
def test_a_class_over_ssh_by_gnu_parallel(batch, tmp_path, daemons):
    """The same command, one for each submission, on a host of ssh's."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it of root
    make_keys(tmp_path)
    port = free_port()
    (tmp_path / "sshd").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {tmp_path}/host\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nUsePAM no\n"
        f"PidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n")
    (tmp_path / "ssh").write_text(
        f"Host node\nHostName 127.0.0.1\nPort {port}\n"
        f"IdentityFile {tmp_path}/user\nStrictHostKeyChecking no\n"
        f"UserKnownHostsFile {tmp_path}/known\nBatchMode yes\n"
        "LogLevel ERROR\n")
    daemons.start("/usr/sbin/sshd", "-D", "-e", "-f", str(tmp_path / "sshd"),
                  ready=lambda: listens(port))
    made, out, command = batch("right", "syntax", "edits")
    done = subprocess.run(
        ["parallel", "--ssh", f"ssh -F {tmp_path}/ssh", "-S", "1/node",
         WEIR, *command, "--only", "{}", ":::", *made],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PARALLEL_HOME": str(tmp_path / "parallel")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(made), done.stdout
    assert weir(*command).returncode == 0       # the summary
    check_class(made, out)


SLURM = """\
ClusterName=weir
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def start_slurm(folder, daemons):
    """A cluster of one node; the environment of its commands."""
    host = socket.gethostname().partition(".")[0]
    ports = free_port(), free_port()
    user = subprocess.run(["id", "-un"], capture_output=True, text=True,
                          check=True).stdout.strip()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key, munge = folder / "munge.key", folder / "munge.socket"
    key.write_bytes(os.urandom(64))
    key.chmod(0o600)
    (folder / "slurm.conf").write_text(SLURM.format(
        host=host, ports=ports, user=user, folder=folder))
    env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    daemons.start(
        "/usr/sbin/munged", "--foreground", "--force", f"--key-file={key}",
        f"--socket={munge}", f"--pid-file={folder}/munged.pid",
        f"--log-file={folder}/munged.log", f"--seed-file={folder}/seed",
        ready=munge.exists)
    config = ("-D", "-f", str(folder / "slurm.conf"))
    daemons.start("/usr/sbin/slurmctld", *config,
                  ready=lambda: listens(ports[0]))
    daemons.start("/usr/sbin/slurmd", *config, "-N", host,
                  ready=lambda: listens(ports[1]))
    return env


@pytest.mark.labs
@pytest.mark.timeout(1500)
def test_a_class_as_an_array_of_slurm_jobs(batch, tmp_path, daemons):
    env = start_slurm(tmp_path, daemons)
    made, out, command = batch("right", "syntax", "edits")
    names = tmp_path / "names"
    names.write_text("".join(f"{name}\n" for name in made))
    line = f'$(sed -n "$SLURM_ARRAY_TASK_ID"p {names})'
    done = subprocess.run(
        ["sbatch", "--wait", f"--array=1-{len(made)}",
         f"--output={tmp_path}/job-%a", "--wrap",
         f'{WEIR} {" ".join(command)} --only "{line}"'],
        capture_output=True, text=True, check=False, env=env, timeout=300)
    logs = "".join(p.read_text() for p in tmp_path.glob("job-*"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    assert weir(*command).returncode == 0       # the summary
    check_class(made, out)


# --- the debugger -------------------------------------------------------------
def test_an_editor_can_attach_to_a_stopped_machine(tree, tmp_path, daemons):
    """As .vscode/launch.json has it; gdb stops at the student's line."""
    if not shutil.which("gdb"):
        pytest.skip("gdb is not installed")
    sock = tree / "build" / "gdb.sock"
    daemons.start(str(tree / "tools" / "weir"), "gdb", "--serve",
                  ready=sock.exists)
    line = next(n for n, text in enumerate(
        (tree / "kernel/main.c").read_text().splitlines(), 1)
        if "mm_start();" in text)
    done = subprocess.run(
        ["gdb", "-q", "-nx", "-batch", str(tree / "build/weir.elf"),
         "-ex", f"target remote {sock}", "-ex", f"hbreak kernel/main.c:{line}",
         "-ex", "continue", "-ex", "kill"], capture_output=True, text=True,
        check=False, timeout=100, stdin=subprocess.DEVNULL)
    assert f"start (arg=0x0) at kernel/main.c:{line}" in done.stdout, \
        done.stdout + done.stderr
