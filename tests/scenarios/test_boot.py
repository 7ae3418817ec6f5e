"""Boots: firmware, CPU counts, parameters, damaged ISOs, too little memory."""

import re

import pytest
from guest import report
from guest import vm

PROMPT_SECONDS = 20     # 3 s on a quiet host; CI's may be far from quiet


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


def test_prompt_comes_soon(clean):
    assert clean("echo", "hello").seconds < PROMPT_SECONDS


def test_found_differs_from_asked(weir):
    result = weir("echo", "no", cpus=2, cpu_word=False, words=["cpus=4"])
    assert result.status == vm.PANIC, report(result)
    assert re.search(r"\b2\b.*\b4\b|\b4\b.*\b2\b", result.verdict)


@pytest.mark.parametrize("accel", ["icount"])
def test_other_accelerators(clean, accel):
    assert clean("echo", "hello", accel=accel).text == "hello\n"


# --- parameters -------------------------------------------------------------
@pytest.mark.parametrize("word", [
    "nosuchkey=1", "mem=lots", "mem=0", "swap=-1", "tlb=sometimes",
    "batch=0", "batch=100000", "seed=", "delay=x", "cpus=65", "mem"])
def test_bad_parameter_is_named(weir, word):
    """Reported on the console by name; the machine runs without it."""
    result = weir("echo", "alive", cpus=1, words=[word], cpu_word=False)
    assert result.status == 0, report(result)
    assert result.text == "alive\n"
    complaint = [line for line in result.console.splitlines()
                 if word.split("=")[0] in line and "parameter" in line]
    assert complaint, report(result)


def test_later_word_wins(clean):
    result = clean("ctl", cpus=1, tlb="immediate", words=["tlb=batch-dirty"])
    assert "batch-dirty" in result.text


# --- damaged ISOs -----------------------------------------------------------
def test_missing_initrd(weir, variant):
    iso = variant(lambda boot: (boot / "initrd.tar").unlink())
    result = weir("echo", "no", iso=iso, cpus=1)
    assert result.status in range(1, 100) or result.status == vm.PANIC, \
        report(result)
    assert "initrd" in result.console + result.verdict


def test_missing_init(weir, variant):
    iso = variant(lambda boot: (boot / "init.bin").unlink())
    result = weir("echo", "no", iso=iso, cpus=1)
    assert result.status == vm.PANIC, report(result)
    assert "init" in result.verdict


def truncate(name, keep):
    def change(boot):
        data = (boot / name).read_bytes()
        (boot / name).write_bytes(data[:keep(len(data))])
    return change


def corrupt_header(boot):
    """Damages the first tar header: its checksum no longer fits."""
    data = bytearray((boot / "initrd.tar").read_bytes())
    data[0:8] = b"\xff" * 8
    (boot / "initrd.tar").write_bytes(data)


@pytest.mark.parametrize("change", [
    truncate("initrd.tar", lambda size: size // 3 | 1),
    truncate("initrd.tar", lambda size: 100),
    truncate("initrd.tar", lambda size: 0), corrupt_header],
    ids=["third", "100-bytes", "empty", "header"])
def test_damaged_initrd(weir, variant, change):
    result = weir("echo", "no", iso=variant(change), cpus=1)
    assert result.status != 0 and result.status not in (
        vm.TRIPLE, vm.HANG, vm.TIMEOUT, vm.HOST), report(result)
    assert "initrd" in result.console + result.verdict, report(result)


@pytest.mark.parametrize("change", [
    truncate("init.bin", lambda size: 16),
    lambda boot: (boot / "init.bin").write_bytes(b"\0" * 8192)],
    ids=["short", "magic"])
def test_damaged_init(weir, variant, change):
    result = weir("echo", "no", iso=variant(change), cpus=1)
    assert result.status == vm.PANIC, report(result)
    assert "init" in result.verdict


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


@pytest.mark.parametrize("at,value", [
    (0, b"\x7fELV"), (4, b"\x01"), (18, b"\x28\x00"), (54, b"\x01\x00"),
    (32, b"\xff" * 8), (56, b"\xff\xff"), (24, b"\xff" * 8)],
    ids=["magic", "class", "machine", "phentsize", "phoff", "phnum", "entry"])
def test_corrupt_elf(weir, variant, at, value):
    """The shell says so and the command fails; the machine lives on."""
    def change(boot):
        data = bytearray((boot / "initrd.tar").read_bytes())
        start = elf_offset(data, "lostwrite")
        data[start + at:start + at + len(value)] = value
        (boot / "initrd.tar").write_bytes(data)
    result = weir("lostwrite", "--json", iso=variant(change), cpus=1)
    assert 0 < result.status < 100, report(result)


@pytest.mark.parametrize("words", [["mem=1"], ["mem=2"]])
def test_too_little_memory(weir, words):
    result = weir("echo", "no", cpus=1, words=words)
    assert result.status not in (0, vm.TRIPLE, vm.HANG, vm.TIMEOUT,
                                 vm.HOST), report(result)
    assert "memory" in (result.console + result.verdict).lower()


def test_small_machine(weir):
    """A machine with far less RAM than the parameters ask for."""
    result = weir("echo", "no", cpus=1, mem=512, ram=64)
    assert result.status not in (vm.TRIPLE, vm.HANG, vm.TIMEOUT, vm.HOST), \
        report(result)
    if result.status:
        assert "memory" in (result.console + result.verdict).lower()


def test_swap_that_does_not_fit(weir):
    result = weir("echo", "no", cpus=1, swap=4096, ram=128)
    assert result.status not in (vm.TRIPLE, vm.HANG, vm.TIMEOUT, vm.HOST), \
        report(result)
    assert "swap" in (result.console + result.verdict).lower()
