"""tools/weir itself: the protocol, the verdicts, the command line.

The guests are tests/scenarios/fake.asm, each of which ends in one way, so
no kernel has to be broken to see every verdict.
"""

import signal
import subprocess

import pytest
from guest import ROOT
from weirlib import bochs, image, records, vm

STATUS, PANIC, TRIPLE, SILENT, IDLE, BUSY = range(1, 7)
GRUB = "set timeout=0\nmenuentry fake { multiboot2 /boot/weir.elf\nboot }\n"


@pytest.fixture
def fake(tmp_path):
    """fake(mode): an ISO with the guest that ends in that way."""
    def build(mode):
        tree = tmp_path / "tree" / "boot"
        (tree / "grub").mkdir(parents=True)
        (tree / "grub" / "grub.cfg").write_text(GRUB)
        subprocess.run(["nasm", "-f", "elf32", f"-DMODE={mode}", "-o",
                        tmp_path / "fake.o",
                        ROOT / "tests/scenarios/fake.asm"], check=True)
        subprocess.run(["x86_64-linux-gnu-ld", "-m", "elf_i386", "-Ttext",
                        "0x100000", "-e", "start", "-o", tree / "weir.elf",
                        tmp_path / "fake.o"], check=True)
        return image.make(tmp_path / "fake.iso", tmp_path / "tree")
    return build


def boot(iso, command=("x",), timeout=60, **options):
    return vm.run(vm.Options(cpus=1, iso=iso, timeout=timeout, **options),
                  command)


machines = pytest.mark.parametrize("machine", ["qemu", "bochs"])


@machines
def test_status_and_output(fake, machine):
    result = boot(fake(STATUS), machine=machine)
    assert (result.status, result.verdict) == (7, "")
    assert result.output == b"hello\n"


@machines
def test_panic(fake, machine):
    result = boot(fake(PANIC), machine=machine)
    assert result.status == vm.PANIC
    assert result.verdict == "The kernel panicked: the weir has burst."


@machines
def test_triple_fault(fake, machine):
    result = boot(fake(TRIPLE), machine=machine)
    assert result.status == vm.TRIPLE
    assert "triple fault" in result.verdict


@pytest.mark.parametrize("mode,sentence", [
    (SILENT, "no sign of life for 4 s"), (IDLE, "every CPU was idle, and")])
def test_hang(fake, monkeypatch, mode, sentence):
    monkeypatch.setattr(vm, "BEAT_SECONDS", 4)
    monkeypatch.setattr(vm, "STILL_BEATS", 5)
    result = boot(fake(mode))
    assert result.status == vm.HANG
    assert sentence in result.verdict


def test_over_the_limit(fake):
    result = boot(fake(BUSY), timeout=3)
    assert result.status == vm.TIMEOUT
    assert result.seconds < 20


def test_host_errors(tmp_path, fake, monkeypatch):
    missing = boot(tmp_path / "none.iso")
    assert missing.status == vm.HOST and "make iso" in missing.verdict
    guest = fake(STATUS)
    for machine in ("qemu", "bochs"):
        huge = boot(guest, ram=1 << 30, machine=machine)
        assert huge.status == vm.HOST and huge.verdict.endswith(".")
    monkeypatch.setattr(vm, "QEMU", "qemu-that-is-not-there")
    monkeypatch.setattr(bochs, "BOCHS", "bochs-that-is-not-there")
    for machine in ("qemu", "bochs"):
        none = boot(guest, machine=machine)
        assert none.status == vm.HOST and "not installed" in none.verdict


def test_command_line_tool(fake):
    """The verdict is one sentence on standard error, and the status."""
    def tool(mode, folder):
        return subprocess.run(
            [ROOT / "tools/weir", "vm", "--cpus", "1", "--timeout", "60",
             "--iso", folder, "--", "x"], capture_output=True, text=True,
            check=False)
    done = tool(PANIC, fake(PANIC))
    assert done.returncode == vm.PANIC and done.stdout == ""
    assert done.stderr == "The kernel panicked: the weir has burst.\n"


def test_words():
    options = vm.Options(cpus=2, mem=48, tlb="immediate", words=["seed=5"])
    line = vm.command_line(options, ["echo", 'a "b"', "c\\"])
    assert line == ('cpus=2 mem=48 tlb=immediate seed=5 '
                    'run="echo \\"a \\\\\\"b\\\\\\"\\" \\"c\\\\\\\\\\""')


def test_the_command_that_repeats_a_boot(fake):
    """It says what is not the default, and no more; a Result has its own."""
    options = vm.Options(
        cpus=2, tlb="immediate", words=["check=tlb", "seed=5"], timeout=60,
        disks=["d,serial=x"], swap_disk=8, cpu_model="EPYC",
        iso=ROOT / "build/planted/weir.iso")
    assert vm.shown(options, ["sh", "-c", "a && b"]) == (
        "tools/weir vm --cpus 2 --tlb immediate --set check=tlb --set seed=5 "
        "--cpu-model EPYC --timeout 60 --iso build/planted/weir.iso "
        "--disk d,serial=x --swap-disk 8 -- sh -c 'a && b'")
    assert vm.shown(vm.Options(iso=ROOT / "build/weir.iso"), []) == \
        "tools/weir vm"
    iso = fake(STATUS)
    assert boot(iso).command == f"tools/weir vm --cpus 1 --timeout 60 " \
        f"--iso {iso} -- x"


def test_disks(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_bytes(bytes(512))
    drive = "format=raw,if=none,id="
    assert vm.disk_arguments([f"{one}", f"{two},ro,serial=a.b"]) == [
        "-drive", f"file={one},{drive}blk0",
        "-device", "virtio-blk-pci,drive=blk0,serial=disk0",
        "-drive", f"file={two},{drive}blk1,readonly=on",
        "-device", "virtio-blk-pci,drive=blk1,serial=a.b"]


@pytest.mark.parametrize("disks,sentence", [
    (["{}/none"], "there is no file"), (["{}/one,rw"], "'rw' is neither"),
    (["{}/one,serial="], "is neither"),
    (["{}/one,serial=" + "x" * 21], "is neither"),
    (["{}/one", "{}/one,serial=disk0"], "two disks have the serial disk0")])
def test_disks_that_are_refused(tmp_path, fake, disks, sentence):
    (tmp_path / "one").write_bytes(bytes(512))
    result = boot(fake(STATUS), disks=[d.format(tmp_path) for d in disks])
    assert result.status == vm.HOST and sentence in result.verdict
    assert result.verdict.count("\n") == 0


@pytest.mark.parametrize("option", [{"disks": ["x"]}, {"swap_disk": 8}])
def test_bochs_has_no_disks(fake, option):
    result = boot(fake(STATUS), machine="bochs", **option)
    assert result.status == vm.HOST and "no --disk" in result.verdict
    assert result.lacks


@machines
def test_a_model_that_there_is_not(fake, machine):
    """The emulator does not run: nothing that the machine lacks."""
    result = boot(fake(STATUS), machine=machine, cpu_model="nonsense")
    assert result.status == vm.HOST and not result.lacks


def test_swap_disk_of_no_size(fake):
    result = boot(fake(STATUS), swap_disk=0)
    assert result.status == vm.HOST and "--swap-disk" in result.verdict


def test_records_in_any_pieces():
    stream = (b"junk@weir out 3\na\nb\n@weir exit 1\n0\n"
              b"@weir beat x@weir note 0\n\n")
    want = [("out", b"a\nb"), ("exit", b"0"), ("note", b"")]
    for size in (1, 2, 7, len(stream)):
        parser = records.Parser()
        got = [record for i in range(0, len(stream), size)
               for record in parser.feed(stream[i:i + size])]
        tail = list(parser.feed(b"." * 64))
        assert got + tail == want
        assert parser.noise.startswith(b"junk@weir beat x")


def test_doctor_names_every_package():
    done = subprocess.run([ROOT / "tools/weir", "doctor"], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    for package in ("qemu-system-x86", "grub-pc-bin", "mtools", "ovmf",
                    "nasm", "musl-dev", "bochs-term"):
        assert package in done.stdout


def test_setup_says_what_and_why(monkeypatch, capsys):
    from weirlib import host
    need = host.Need("weirdasm", "assembles weirs", "weirdasm",
                     command=("weirdasm", "--version"))
    monkeypatch.setattr(host, "NEEDS", [need])
    monkeypatch.setattr(host, "as_root", lambda: None)
    assert host.setup(None) == 1
    said = capsys.readouterr()
    assert "assembles weirs" in said.out
    assert "apt-get install -y" in said.err and "weirdasm" in said.err


def test_who_reads_the_output_may_go():
    """As `tools/weir vm ... | head -1`: no trace back, no VM that stays."""
    with subprocess.Popen([ROOT / "tools/weir", "vm", "--timeout", "120",
                           "--", "seq", "1", "100000"],
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as tool:
        assert tool.stdout.readline() == b"1\n"
        tool.stdout.close()
        assert tool.stderr.read() == b""
    assert tool.returncode == 128 + signal.SIGPIPE
