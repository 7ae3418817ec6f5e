"""Boots: firmware, CPU counts, parameters, damaged ISOs, too little memory.

The statuses and sentences are those of docs/protocol.md, "When something is
wrong at boot".
"""

import re
import time

import pytest
from guest import BOOT_TIMEOUT, report
from guest import vm

PROMPT_SECONDS = 20     # 3 s on a quiet host; CI's may be far from quiet
CANNOT_START = 96       # the status when a program cannot be started


def boot_record(result):
    return next(p.decode() for kind, p in result.records if kind == "boot")


@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_bios(clean, cpus):
    result = clean("echo", "hello", cpus=cpus)
    assert result.text == "hello\n"
    assert f"cpus={cpus}" in boot_record(result)


@pytest.mark.uefi
@pytest.mark.parametrize("cpus", [1, 4])
def test_uefi(clean, cpus):
    result = clean("echo", "hello", cpus=cpus, firmware="uefi")
    assert result.text == "hello\n"
    assert f"cpus={cpus}" in boot_record(result)


@pytest.mark.parametrize("cpus", [32, 64])
def test_many_cpus(clean, cpus):
    result = clean("echo", "hello", cpus=cpus)
    assert f"cpus={cpus}" in boot_record(result)


def test_32_cpus_lose_no_write(clean):
    result = clean("lostwrite", "--json", "threads=32", cpus=32)
    assert '"lost":0' in result.text.replace(" ", "")


def test_prompt_comes_soon(iso):
    """From QEMU's start to the first words of user space."""
    said = []
    machine = vm.Machine(
        vm.Options(iso=iso, timeout=BOOT_TIMEOUT), ["echo", "hello"],
        on_output=lambda _: said.append(time.monotonic()))
    start = time.monotonic()
    result = machine.run()
    assert result.status == 0 and said, report(result)
    seconds = said[0] - start
    print(f"the first output came after {seconds:.2f} s")
    assert seconds < PROMPT_SECONDS


@pytest.mark.parametrize("accel", ["icount"])
def test_other_accelerators(clean, accel):
    assert clean("echo", "hello", accel=accel).text == "hello\n"


# --- parameters -------------------------------------------------------------
COMPLAINTS = {
    "nosuchkey=1": "unknown parameter: nosuchkey",
    "mem": "parameter without a value: mem",
    "mem=lots": 'parameter mem: bad value "lots"',
    "mem=0": 'parameter mem: bad value "0"',
    "swap=-1": 'parameter swap: bad value "-1"',
    "swap=0x10": 'parameter swap: bad value "0x10"',
    "tlb=sometimes": 'parameter tlb: bad value "sometimes"',
    "batch=0": 'parameter batch: bad value "0"',
    "batch=257": 'parameter batch: bad value "257"',
    "seed=": 'parameter seed: bad value ""',
    "seed=18446744073709551616":
        'parameter seed: bad value "18446744073709551616"',
    "delay=x": 'parameter delay: bad value "x"',
    "delay=10000001": 'parameter delay: bad value "10000001"',
    "cpus=0": 'parameter cpus: bad value "0"',
    "cpus=65": 'parameter cpus: bad value "65"',
}


def complaints(result):
    return [line for line in result.console.splitlines()
            if line.startswith("weir: ") and "parameter" in line]


def test_bad_parameters_are_named(clean):
    """Each in a sentence of its own; the machine runs as without them."""
    plain = clean("echo", "alive", cpus=1)
    result = clean("echo", "alive", cpus=1, words=list(COMPLAINTS))
    assert result.text == "alive\n"
    assert complaints(result) == [f"weir: {c}" for c in COMPLAINTS.values()]
    assert boot_record(result) == boot_record(plain)
    assert complaints(plain) == []


def test_later_word_wins(clean):
    result = clean("ctl", cpus=1, tlb="immediate", words=["tlb=batch-dirty"])
    assert result.text.startswith("tlb batch-dirty\n")


def grub_words(words):
    """Puts words on the kernel's line in grub.cfg."""
    def change(boot):
        config = boot / "grub" / "grub.cfg"
        line = "multiboot2 /boot/weir.elf"
        assert config.read_text().count(line) == 1
        config.write_text(config.read_text().replace(line,
                                                     f"{line} {words}"))
    return change


def test_words_of_grub(clean, variant):
    """GRUB's own are honoured; those of fw_cfg come later, and win."""
    iso = variant(grub_words('seed=7 tlb=immediate batch=0 delay=70 '
                             '"run=echo never"'))
    result = clean("ctl", iso=iso, cpus=1, tlb="batch-dirty",
                   words=["delay=90"])
    lines = result.text.splitlines()
    assert lines[:3] == ["tlb batch-dirty", "batch 64", "delay 90"]
    assert "seed 7" in lines
    assert complaints(result) == ['weir: parameter batch: bad value "0"']


def test_run_of_grub(weir, variant):
    result = weir(iso=variant(grub_words('"run=poweroff 7"')), cpus=1)
    assert (result.status, result.verdict) == (7, ""), report(result)


# --- when something is wrong: one status, one sentence -----------------------
def assert_panic(result, sentence):
    """`sentence` is a regular expression, for the numbers in it."""
    assert result.status == vm.PANIC, report(result)
    assert re.fullmatch(rf"The kernel panicked: {sentence}\.",
                        result.verdict), report(result)
    assert result.text == ""


def assert_gives_up(result, sentence):
    """init says why nothing can run, and switches the machine off."""
    assert (result.status, result.verdict) == (CANNOT_START, ""), \
        report(result)
    assert result.text == f"init: {sentence}\n"
    assert f"init: {sentence}" in result.console.splitlines()


# --- damaged ISOs -----------------------------------------------------------
def truncate(name, keep):
    def change(boot):
        data = (boot / name).read_bytes()
        (boot / name).write_bytes(data[:keep(len(data))])
    return change


def remove(name):
    return lambda boot: (boot / name).unlink()


def replace(name, data):
    return lambda boot: (boot / name).write_bytes(data)


def patch(name, at, value):
    def change(boot):
        data = bytearray((boot / name).read_bytes())
        data[at:at + len(value)] = value
        (boot / name).write_bytes(data)
    return change


@pytest.mark.parametrize("change,sentence", [
    (remove("initrd.tar"), "no initrd: GRUB passed none, or an empty one"),
    (truncate("initrd.tar", lambda size: 0),
     "no initrd: GRUB passed none, or an empty one"),
    (truncate("initrd.tar", lambda size: 100),
     "the initrd is damaged: the archive is truncated"),
    (truncate("initrd.tar", lambda size: size // 3 | 1),
     "the initrd is damaged: the archive is truncated inside a file"),
    (patch("initrd.tar", 0, b"\xff" * 8),
     "the initrd is damaged: a header's checksum does not match"),
    (replace("initrd.tar", bytes(10240)),
     "the initrd is damaged: there is no file in it")],
    ids=["missing", "empty", "100-bytes", "third", "header", "zeroes"])
def test_damaged_initrd(weir, variant, change, sentence):
    assert_gives_up(weir("echo", "no", iso=variant(change), cpus=1),
                    sentence)


INIT_HEADER = 40    # bytes: struct weir_init_header


@pytest.mark.parametrize("change,sentence", [
    (remove("init.bin"),
     "init is missing: the boot loader passed no module 'init'"),
    (truncate("init.bin", lambda size: 0), "init is truncated: 0 bytes"),
    (truncate("init.bin", lambda size: INIT_HEADER - 1),
     f"init is truncated: {INIT_HEADER - 1} bytes"),
    (truncate("init.bin", lambda size: 4096),
     r"init is truncated: 4096 bytes of \d+"),
    (replace("init.bin", bytes(8192)),
     "init is corrupt: it does not begin with WEIRINIT"),
    (patch("init.bin", 8, b"\xff" * 8),
     "init is corrupt: its header makes no sense")],
    ids=["missing", "empty", "short", "page", "magic", "header"])
def test_damaged_init(weir, variant, change, sentence):
    assert_panic(weir("echo", "no", iso=variant(change), cpus=1), sentence)


def elf_offset(data, name):
    """Where the file NAME starts in the tar archive `data`."""
    at = 0
    while data[at:at + 1] not in (b"", b"\0"):
        header = data[at:at + 512]
        size = int(header[124:135].rstrip(b"\0 ") or b"0", 8)
        path = header[:100].rstrip(b"\0").decode()
        if path.split("/")[-1] == name:
            return at + 512
        at += 512 + (size + 511) // 512 * 512
    raise KeyError(name)


def patch_elf(program, at, value):
    def change(boot):
        start = elf_offset((boot / "initrd.tar").read_bytes(), program)
        patch("initrd.tar", start + at, value)(boot)
    return change


@pytest.mark.parametrize("at,value,why", [
    (0, b"\x7fELV", "not an ELF file"),
    (4, b"\x01", "not a 64-bit little-endian ELF file"),
    (18, b"\x28\x00", "not for x86-64"),
    (54, b"\x01\x00", "program headers of a strange size"),
    (32, b"\xff" * 8, "truncated: program headers outside the file"),
    (56, b"\xff\xff", "truncated: program headers outside the file"),
    (24, b"\xff" * 8, "the entry point is not in its code")],
    ids=["magic", "class", "machine", "phentsize", "phoff", "phnum", "entry"])
def test_corrupt_elf(weir, variant, at, value, why):
    """The shell says so and the command fails; the machine lives on."""
    iso = variant(patch_elf("lostwrite", at, value))
    result = weir("lostwrite", "--json", iso=iso, cpus=1)
    assert result.status == CANNOT_START, report(result)
    assert result.text == f"cannot start lostwrite: {why}\n"


@pytest.mark.parametrize("program,path", [
    ("console", "servers/console"), ("shell", "bin/shell")])
def test_corrupt_system_program(weir, variant, program, path):
    result = weir("echo", "no", cpus=1,
                  iso=variant(patch_elf(program, 0, b"\x7fELV")))
    assert_gives_up(result,
                    f"the system cannot start: {path}: not an ELF file")


# --- machines that are too small, or other than asked for ---------------------
TOO_LITTLE = (r"too little memory: (\d+) KiB are left beside the kernel and "
              r"its modules, 8 MiB are needed; give the machine more, or "
              r"raise mem=")


@pytest.mark.parametrize("options", [
    dict(words=["mem=1"]), dict(words=["mem=8"]),
    # OVMF itself needs more.
    dict(mem=None, ram=8, firmware="bios")],
    ids=["mem=1", "mem=8", "8-MiB-machine"])
def test_too_little_memory(weir, options):
    result = weir("echo", "no", cpus=1, **options)
    assert_panic(result, TOO_LITTLE)
    assert int(re.search(r"(\d+) KiB", result.verdict)[1]) < 8 * 1024


def test_more_memory_asked_for_than_there(clean):
    """mem= is a limit: the machine uses what it has, and says how much."""
    result = clean("echo", "alive", cpus=1, mem=512, ram=64)
    assert result.text == "alive\n"
    found = re.search(r"^weir: 1 CPUs, (\d+) MiB of memory, (\d+) MiB of swap",
                      result.console, flags=re.M)
    assert 48 < int(found[1]) + int(found[2]) < 64


def test_swap_that_does_not_fit(weir):
    result = weir("echo", "no", cpus=1, swap=4096, ram=128)
    assert_panic(result, "too little memory for swap=4096: 4096 MiB, and "
                 "8 MiB beside it, are needed; give the machine more, or "
                 "lower swap=")


@pytest.mark.parametrize("asked,there", [(4, 2), (1, 2)])
def test_other_cpus_than_asked_for(weir, asked, there):
    result = weir("echo", "no", cpus=there, cpu_word=False,
                  words=[f"cpus={asked}"])
    assert_panic(result, f"{asked} CPUs were asked for, but the machine has "
                 f"{there}")


def test_more_cpus_than_supported(weir):
    result = weir("echo", "no", cpus=65, cpu_word=False)
    assert_panic(result, "the machine has 65 CPUs, but at most 64 are "
                 "supported")
