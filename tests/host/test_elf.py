"""user/lib/elf.c: program files, good and corrupt."""
import struct

import pytest

R, W, X = 4, 2, 1
TOP = 0x7FFFFFFFE000
HUGE = 2 ** 64 - 1


def segment(vaddr=0x400000, flags=R | X, offset=0x1000, filesz=0x800,
            memsz=None, kind=1):
    return [kind, flags, offset, vaddr, vaddr, filesz,
            filesz if memsz is None else memsz, 0x1000]


def elf(segments=None, entry=0x400010, size=0x4000, **header):
    h = dict(magic=b"\x7fELF", bits=2, data=1, type=2, machine=62, phoff=64,
             phentsize=56, phnum=None)
    h.update(header)
    if segments is None:
        segments = [segment(),
                    segment(0x402000, R | W, 0x2000, 0x100, 0x3000)]
    if h["phnum"] is None:
        h["phnum"] = len(segments)
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", h["magic"], h["bits"],
                       h["data"], 1, 0, h["type"], h["machine"], 1, entry,
                       h["phoff"], 0, 0, 64, h["phentsize"], h["phnum"], 64,
                       0, 0)
    body = b"".join(struct.pack("<IIQQQQQQ", *s) for s in segments)
    return (head + body).ljust(size, b"\x90")


@pytest.fixture
def run(driver):
    def go(data):
        lines = driver("elf_test", ["user/lib/elf.c"])(
            data=data).splitlines()
        return lines[:-1], lines[-1][7:]
    return go


def test_good(run):
    lines, error = run(elf())
    assert error == "none"
    assert lines == ["entry 400010", "400000 1 0 2048 5 4096",
                     "402000 3 0 256 3 8192"]


@pytest.mark.parametrize("segments, line", [
    ([segment(0x400123, filesz=1)], "400000 1 291 1 5 4096"),
    ([segment(0x400FFF, filesz=2)], "400000 2 4095 2 5 4096"),
    ([segment(0x10000, filesz=0x1000)], "10000 1 0 4096 5 4096"),
    ([segment(TOP - 0x1000, filesz=0x1000)], "7fffffffd000 1 0 4096 5 4096"),
    ([segment(), segment(0x500000, R, filesz=0, memsz=0)],
     "400000 1 0 2048 5 4096"),
    ([segment(), segment(0, kind=0x6474E551, filesz=HUGE)],
     "400000 1 0 2048 5 4096"),
])
def test_shapes(run, segments, line):
    lines, error = run(elf(segments, entry=segments[0][3]))
    assert error == "none"
    assert lines[1:] == [line]


@pytest.mark.parametrize("data, word", [
    (b"", "truncated"),
    (elf()[:63], "truncated"),
    (elf()[:64], "truncated"),
    (elf()[:64 + 111], "truncated"),
    (elf()[:0x17FF], "truncated"),
    (elf()[:0x20FF], "truncated"),
    (b"#!/bin/sh\n" * 20, "not an ELF"),
    (elf(bits=1), "64-bit"),
    (elf(data=2), "little-endian"),
    (elf(machine=183), "x86-64"),
    (elf(type=3), "fixed addresses"),
    (elf(type=1), "fixed addresses"),
    (elf(phentsize=32), "program headers"),
    (elf(phnum=0), "no program headers"),
    (elf(phnum=0xFFFF), "truncated"),
    (elf(phoff=HUGE), "truncated"),
    (elf(phoff=HUGE - 55), "truncated"),
    (elf(phoff=0x4000 - 55), "truncated"),
    (elf([segment(filesz=0x800, memsz=0x7FF)]), "larger in the file"),
    (elf([segment(offset=HUGE)]), "truncated"),
    (elf([segment(offset=0x3FFF, filesz=2)]), "truncated"),
    (elf([segment(filesz=HUGE, memsz=HUGE)]), "truncated"),
    (elf([segment(vaddr=0)]), "user space"),
    (elf([segment(vaddr=0xF000, filesz=0x1001)]), "user space"),
    (elf([segment(vaddr=TOP)]), "user space"),
    (elf([segment(vaddr=TOP - 0x7FF)]), "user space"),
    (elf([segment(vaddr=0xFFFFFFFF80000000)]), "user space"),
    (elf([segment(memsz=HUGE)]), "user space"),
    (elf([segment(memsz=HUGE - 0x400000 + 1)]), "user space"),
    (elf([segment(flags=R | W | X)]), "writable and executable"),
    (elf([segment(), segment()]), "overlap"),
    (elf([segment(), segment(0x400900, R)]), "share a page"),
    (elf([segment(memsz=0x100000), segment(0x401000, R)]), "overlap"),
    (elf([segment(0x401000), segment(memsz=0x1001)]), "overlap"),
    (elf([segment(0x400000 + i * 0x1000) for i in range(9)]), "too many"),
    (elf([segment(flags=R)]), "entry"),
    (elf(entry=0), "entry"),
    (elf(entry=0x400800), "entry"),
    (elf(entry=0x3FFFFF), "entry"),
    (elf(entry=0x402000), "entry"),
    (elf(entry=HUGE), "entry"),
    (elf([segment(kind=3)]), "dynamically"),
    (elf([segment(), segment(kind=2)]), "dynamically"),
    (elf([segment(kind=4)]), "no segment"),
])
def test_bad_is_named(run, data, word):
    lines, error = run(data)
    assert lines == [] and word in error
