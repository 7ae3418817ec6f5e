"""boot/multiboot.c and arch/x86_64/acpi.c: what firmware and loader say."""
import struct

import pytest

# ---- multiboot2 ----------------------------------------------------------


def tag(kind, body, size=None):
    size = len(body) + 8 if size is None else size
    return struct.pack("<II", kind, size) + body + b"\0" * (-len(body) % 8)


def cmdline(text):
    return tag(1, text.encode() + b"\0")


def module(start, end, text):
    return tag(3, struct.pack("<II", start, end) + text.encode() + b"\0")


def mmap(entries, entry_size=24):
    body = struct.pack("<II", entry_size, 0)
    for base, length, kind in entries:
        body += struct.pack("<QQII", base, length, kind, 0).ljust(
            entry_size, b"\0")
    return tag(6, body)


RSDP1 = b"RSD PTR " + bytes(12)
RSDP2 = b"RSD PTR " + bytes(27) + b"\x02"
MAP = mmap([(0, 0x9FC00, 1), (0x100000, 0x7F00000, 1)])


def info(*tags, size=None):
    body = b"".join(tags) + tag(0, b"")
    size = len(body) + 8 if size is None else size
    return struct.pack("<II", size, 0) + body


WHOLE = info(cmdline("cpus=4 run=demo"), tag(99, b"unknown"),
             module(0x200000, 0x280000, "initrd extra words"), MAP,
             tag(14, RSDP1), tag(15, RSDP2))


@pytest.fixture
def boot(driver):
    def go(data):
        program = driver("multiboot_test", ["boot/multiboot.c"])
        lines = program(data=data).splitlines()
        return lines[:-1], lines[-1][7:]
    return go


def test_multiboot(boot):
    lines, error = boot(WHOLE)
    assert error == "none"
    assert lines == ["mmap 0 9fc00 1", "mmap 100000 7f00000 1",
                     "module 200000 80000 initrd", "cmdline cpus=4 run=demo",
                     "rsdp RSD PTR  2"]


@pytest.mark.parametrize("tags, revision", [
    ([tag(14, RSDP1)], "0"), ([tag(15, RSDP2)], "2"),
    ([tag(15, RSDP2), tag(14, RSDP1)], "2"), ([tag(15, b"short")], None)])
def test_newer_rsdp_wins(boot, tags, revision):
    lines, error = boot(info(MAP, *tags))
    assert error == "none"
    found = [line for line in lines if line.startswith("rsdp")]
    assert found == ([f"rsdp RSD PTR  {revision}"] if revision else [])


def test_longer_map_entries(boot):
    lines, error = boot(info(mmap([(1, 2, 3), (4, 5, 6)], entry_size=40)))
    assert error == "none" and lines[:2] == ["mmap 1 2 3", "mmap 4 5 6"]


@pytest.mark.parametrize("data, word", [
    (info(cmdline("x")), "no memory map"),
    (info(MAP, tag(6, b"")), "malformed"),
    (info(tag(6, struct.pack("<II", 23, 0) + bytes(24))), "malformed"),
    (info(mmap([(0, 1, 1)] * 129)), "too many"),
    (info(MAP, cmdline("x" * 1024)), "too long"),
    (info(MAP, module(0, 1, "n" * 32)), "too long"),
    (info(MAP, module(5, 4, "n")), "malformed"),
    (info(MAP, tag(3, b"")), "malformed"),
    (info(MAP, *[module(0, 1, "n")] * 9), "too many modules"),
    (info(MAP, tag(99, b"", size=7)), "longer"),
    (info(MAP, tag(99, b"", size=0)), "longer"),
    (info(MAP, tag(99, b"", size=1000)), "longer"),
    (info(MAP, tag(99, b"", size=2 ** 32 - 1)), "longer"),
    (info(MAP, size=7), "absurd"),
    (info(MAP, size=2 ** 31), "absurd"),
])
def test_bad_boot_information_is_named(boot, data, word):
    assert word in boot(data)[1]


def test_longest_that_fits(boot):
    lines, error = boot(info(MAP, cmdline("x" * 1023),
                             *[module(0, 1, "n" * 31)] * 8))
    assert error == "none"
    assert "cmdline " + "x" * 1023 in lines


# ---- ACPI ----------------------------------------------------------------

SDT, MADT, OTHER = 0x100, 0x400, 0x300  # places in the image


def table(name, body, length=None, broken=False):
    length = 36 + len(body) if length is None else length
    raw = bytearray(struct.pack("<4sIBB6s8sIII", name, length, 1, 0, b"WEIR",
                                b"TEST", 1, 0, 0) + body)
    raw[9] = (-sum(raw) + (1 if broken else 0)) & 255
    return bytes(raw)


def rsdp(revision=2, root=SDT, broken=False, extended_broken=False):
    raw = bytearray(struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, b"WEIR",
                                revision, root if revision < 2 else 0, 36,
                                root if revision >= 2 else 0, 0))
    raw[8] = (-sum(raw[:20]) + (1 if broken else 0)) & 255
    raw[32] = (-sum(raw) + (1 if extended_broken else 0)) & 255
    return bytes(raw)


def lapic(apic_id, flags=1):
    return struct.pack("<BBBBI", 0, 8, apic_id, apic_id, flags)


def x2apic(apic_id, flags=1):
    return struct.pack("<BBHIII", 9, 16, 0, apic_id, flags, 0)


def ioapic(pa, base):
    return struct.pack("<BBBBII", 1, 12, 0, 0, pa, base)


def override(irq, gsi, flags):
    return struct.pack("<BBBBIH", 2, 10, 0, irq, gsi, flags)


ENTRIES = [lapic(0), lapic(1), lapic(2, 0), lapic(3), ioapic(0xFEC00000, 0),
           override(0, 2, 0), override(9, 9, 0xD),
           struct.pack("<BBBHB", 4, 6, 255, 0, 1)]


def madt(entries=None, **kw):
    body = struct.pack("<II", 0xFEE00000, 1)
    return table(b"APIC", body + b"".join(entries or ENTRIES), **kw)


def image(madt_table=None, revision=2, root=None, size=0x1000, **kw):
    word = "<I" if revision < 2 else "<Q"
    if root is None:
        root = table(b"RSDT" if revision < 2 else b"XSDT",
                     struct.pack(word, OTHER) + struct.pack(word, MADT))
    out = bytearray(size)
    for at, data in ((0, rsdp(revision, **kw)), (SDT, root),
                     (OTHER, table(b"FACP", b"other")),
                     (MADT, madt() if madt_table is None else madt_table)):
        out[at:at + len(data)] = data
    return bytes(out)


@pytest.fixture
def acpi(driver):
    def go(data):
        program = driver("acpi_test", ["arch/x86_64/acpi.c"])
        lines = program(data=data).splitlines()
        return lines[:-1], lines[-1][7:]
    return go


@pytest.mark.parametrize("revision", [0, 2])
def test_acpi(acpi, revision):
    lines, error = acpi(image(revision=revision))
    assert error == "none"
    assert lines == ["lapic fee00000", "cpus 3 0 1 3", "ioapic fec00000 0",
                     "isa 0 2 0", "isa 9 9 d"]


def test_local_apic_address_override(acpi):
    entry = struct.pack("<BBHQ", 5, 12, 0, 0x1FEE00000)
    lines, error = acpi(image(madt(ENTRIES + [entry])))
    assert error == "none" and lines[0] == "lapic 1fee00000"


def test_x2apic_cpus(acpi):
    lines, error = acpi(image(madt([lapic(0), x2apic(300), x2apic(301, 0),
                                    ioapic(0xFEC00000, 0)])))
    assert error == "none" and lines[1] == "cpus 2 0 300"


def test_64_cpus(acpi):
    cpus = [lapic(i) for i in range(64)]
    lines, error = acpi(image(madt(cpus + [ioapic(0xFEC00000, 0)])))
    assert error == "none"
    assert lines[1] == "cpus 64 " + " ".join(map(str, range(64)))


def test_more_cpus_than_fit_are_counted(acpi):
    cpus = [lapic(i) for i in range(80)]
    lines, error = acpi(image(madt(cpus + [ioapic(0xFEC00000, 0)])))
    assert error != "none" or lines[1].startswith("cpus 80 0 1 2")


@pytest.mark.parametrize("data", [
    pytest.param(bytes(0x1000), id="no rsdp"),
    pytest.param(image(broken=True), id="rsdp checksum"),
    pytest.param(image(extended_broken=True), id="rsdp long checksum"),
    pytest.param(image()[:SDT + 10], id="root outside memory"),
    pytest.param(image()[:MADT + 20], id="madt header outside memory"),
    pytest.param(image()[:MADT + 60], id="madt outside memory"),
    pytest.param(image(root=table(b"XSDT", b"", broken=True)),
                 id="root checksum"),
    pytest.param(image(root=table(b"XXXX", struct.pack("<Q", MADT))),
                 id="root signature"),
    pytest.param(image(root=table(b"XSDT", b"")), id="no tables"),
    pytest.param(image(root=table(b"XSDT", b"", length=20)),
                 id="root shorter than its header"),
    pytest.param(image(root=table(b"XSDT", b"", length=2 ** 32 - 1)),
                 id="root length"),
    pytest.param(image(root=table(b"XSDT", struct.pack("<Q", OTHER))),
                 id="no madt"),
    pytest.param(image(madt(broken=True)), id="madt checksum"),
    pytest.param(image(table(b"APIC", b"")), id="madt without body"),
    pytest.param(image(madt(length=39)), id="madt too short"),
    pytest.param(image(madt(length=2 ** 31)), id="madt length"),
    pytest.param(image(madt([struct.pack("<BB", 0, 0)])), id="entry of 0"),
    pytest.param(image(madt([struct.pack("<BB", 0, 1)])), id="entry of 1"),
    pytest.param(image(madt([lapic(0), struct.pack("<BBB", 0, 8, 1)])),
                 id="entry cut off"),
    pytest.param(image(madt([struct.pack("<BBBB", 0, 4, 0, 1)])),
                 id="short lapic entry"),
    pytest.param(image(madt([lapic(0), struct.pack("<BBBB", 1, 4, 0, 1)])),
                 id="short ioapic entry"),
    pytest.param(image(madt([lapic(0, 0), ioapic(0xFEC00000, 0)])),
                 id="no enabled cpu"),
])
def test_bad_tables_are_refused(acpi, data):
    lines, error = acpi(data)
    assert error not in ("none", "") and lines == []
