"""Disks: the block server, its protocol, and archives that are mounted."""

import io
import os
import re
import tarfile

import pytest
from guest import BOOT_TIMEOUT, ROOT, report, vm
from test_servers import fnv, with_manifest  # noqa: F401 (a fixture)

MIB = 1 << 20


@pytest.fixture
def sh(weir):
    return lambda text, **options: weir("sh", "-c", text, **options)


@pytest.fixture
def disk(tmp_path):
    """disk(bytes, name): the path of a file with them."""
    def make(data, name="disk.img"):
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)
    return make


def archive(files, **options):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", **options) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data or b"")
            if data is None:
                info.type = tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


SMALL = {"a": b"one\n", "d/b": b"two\n" * 2000, "d/empty": b"", "e/": None}


# --- the server -------------------------------------------------------------
def test_no_disk_is_said_once_and_costs_nothing(sh):
    result = sh("disks; echo $?; mount disk0 /m; service | grep blk", cpus=2)
    assert result.text == ("0\nmount: disk0: no such disk\n"
                           "blk             runs     0 restarts\n")
    assert result.console.count("blk: no disk\n") == 1, report(result)


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_disks_are_told_apart(sh, disk, firmware):
    one, two = disk(bytes(MIB), "one"), disk(bytes(2 * MIB), "two")
    result = sh("disks", disks=[one, two + ",serial=data,ro"], cpus=2,
                firmware=firmware)
    assert result.text == "0       2048 disk0\n1       4096 data read-only\n",\
        report(result)


@pytest.mark.parametrize("cpus", [1, 4])
def test_what_is_written_is_on_the_disk(clean, disk, cpus):
    """Also on the host, and in the next boot; both disks at once."""
    size = 3 * MIB + 5 * 512
    files = [disk(bytes(size), "one"), disk(bytes(size), "two")]
    clean("sh", "-c", "blkio fill disk0 7 & blkio fill disk1 8 && wait",
          disks=files, cpus=cpus)
    data = [open(f, "rb").read() for f in files]
    assert len(data[0]) == len(data[1]) == size and data[0] != data[1]
    assert all(bytes(512) not in d for d in data)
    result = clean("sh", "-c", "blkio check disk0 7 && blkio check disk1 8",
                   disks=[f + ",ro" for f in files], cpus=cpus)
    assert result.text == f"checked: {size // 512} sectors\n" * 2


def test_refusals(clean, disk):
    one, two = disk(bytes(MIB), "one"), disk(bytes(MIB), "two")
    result = clean("blkio", "errors", "disk0", "disk1",
                   disks=[one, two + ",ro"], cpus=2)
    assert " 0 failed" in result.text, report(result)
    assert open(two, "rb").read() == bytes(MIB)


@pytest.mark.parametrize("what", ["many", "kill"])
@pytest.mark.parametrize("cpus", [1, 2])
def test_deaths(clean, disk, what, cpus):
    """Clients that die leak nothing; a server that dies is another soon."""
    result = clean("blkio", what, "disk0", disks=[disk(bytes(MIB))],
                   cpus=cpus)
    assert " 0 failed" in result.text, report(result)


BAD_DISK = """\
[inject-error]
event = "read_aio"
errno = "5"
sector = "8"
once = "off"
"""


class BadDisk(vm.Machine):
    """Its second disk cannot read sector 8."""
    where = None

    def arguments(self):
        (self.dir / "bad").write_text(BAD_DISK)
        return super().arguments() + [
            "-drive", f"file=blkdebug:{self.dir}/bad:{self.where},"
            "format=raw,if=none,id=bad,rerror=report",
            "-device", "virtio-blk-pci,drive=bad,serial=bad"]


@pytest.fixture
def bad_disk(iso):
    def boot(where, disks, *command):
        machine = BadDisk(vm.Options(cpus=2, iso=iso, disks=disks,
                                     timeout=BOOT_TIMEOUT), command)
        machine.where = where
        return machine.run()
    return boot


def test_an_error_of_a_device_is_its_clients(bad_disk, disk):
    result = bad_disk(disk(bytes(MIB), "bad"), [disk(bytes(MIB))],
                      "blkio", "dead", "bad")
    assert result.status == 0 and " 0 failed" in result.text, report(result)


def test_a_page_that_cannot_be_read_fails_its_reader(bad_disk, disk):
    """The file's sectors are 1 to 20; those before the bad one are there."""
    files = {"f": b"x" * 10000, "g": b"good\n"}
    result = bad_disk(disk(archive(files), "bad"), [disk(bytes(MIB))],
                      "sh", "-c", "mount bad /m; sum < /m/f; echo $?; "
                      "cat /m/g; head -n 1 < /m/g; umount /m; echo $?")
    assert "the page's pager or the swap device failed" in result.text
    assert result.text.endswith("97\ngood\ngood\n0\n"), report(result)


def test_wired_memory_and_ports(with_manifest):  # noqa: F811
    text = (ROOT / "user/etc/manifest").read_text()
    result = with_manifest(text + "wired bin/blkio system privileged "
                           "ports=80-8f "
                           "restart=never\n",
                           "blkio", "wait", "wired", cpus=2)
    assert re.search(r"blkio: [1-9]\d+ checks, 0 failed", result.console), \
        report(result)


# --- mounts -----------------------------------------------------------------
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT,
                                  tarfile.PAX_FORMAT])
def test_a_mounted_archive(sh, disk, form):
    result = sh("mount disk0 /m; ls /m /m/d /m/e; cat /m/a; cat /m/d/b | wc; "
                "wc < /m/d/empty; umount /m; ls /m",
                disks=[disk(archive(SMALL, format=form))], cpus=2)
    assert result.text == (
        "       4 a\n       0 d/\n       0 e/\n    8000 b\n       0 empty\n"
        "one\n2000 2000 8000\n0 0 0\nls: /m: no such file or folder\n"), \
        report(result)


def test_nothing_in_it_can_be_changed(sh, disk):
    result = sh("mount disk0 /m; echo x > /m/a; echo x >> /m/a; "
                "echo x > /m/new; rm /m/a; rm /m; mkdir /m/f; mv /m/a /a; "
                "mv /VERSION /m/v; mv /m /n; mount disk1 /m/sub; cat /m/a; "
                "cp /m/a /a; cat /a",
                disks=[disk(archive(SMALL)), disk(b"x", "two")],
                cpus=2)
    assert result.text.count("it is of a mounted archive\n") == 10, \
        report(result)
    assert result.text.endswith("one\none\n")


def test_mounts_that_are_refused(sh, disk):
    """Each has its sentence, and leaves nothing behind."""
    good = archive({"f": b"x" * 4000})
    broken = bytearray(archive({"f": b"x" * 4000, "g": b"y"}))
    broken[512 * 9] ^= 1
    disks = [disk(d, f"d{i}") + f",serial=s{i}" for i, d in enumerate([
        os.urandom(MIB), bytes(MIB), good[:2048], bytes(broken), good[:512],
        good])]
    mounts = "; ".join(f"mount s{i} /s{i}; ls /s{i}" for i in range(5))
    result = sh(f"{mounts}; mount s9 /x; mount s5 /bin; mount s5 /no/x; "
                "mount s5 /VERSION/x; mount s5 /x; mount s5 /x; "
                "umount /VERSION; umount /no; ls /x", disks=disks, cpus=2)
    none = "ls: /s{}: no such file or folder\n"
    assert result.text == "".join([
        "mount: s0: it is not a tar archive\n", none.format(0),
        "mount: s1: it is not a tar archive\n", none.format(1),
        "mount: s2: the archive is truncated inside a file\n",
        none.format(2),
        "mount: s3: a header's checksum does not match\n", none.format(3),
        "mount: s4: the archive is truncated\n", none.format(4),
        "mount: s9: no such disk\n", "mount: /bin: it is there already\n",
        "mount: /no/x: no such file or folder\n",
        "mount: /VERSION/x: not a folder\n",
        "mount: /x: it is there already\n",
        "umount: /VERSION: nothing is mounted there\n",
        "umount: /no: no such file or folder\n", "    4000 f\n"]), \
        report(result)


def test_damaged_headers_never_crash(sh, disk, seed=1):
    """Bytes of four archives, changed at random; fs answers to the end."""
    import random
    rng = random.Random(seed)
    disks = []
    for i in range(12):
        data = bytearray(archive({f"{n}/f{n}": b"z" * rng.randrange(3000)
                                  for n in range(8)}))
        for _ in range(rng.randrange(1, 5)):
            header = rng.randrange(len(data) // 512) * 512
            data[header + rng.randrange(100, 160)] = rng.randrange(256)
            if rng.random() < 0.7:      # with a checksum that fits
                data[header + 148:header + 156] = b" " * 8
                total = sum(data[header:header + 512])
                data[header + 148:header + 156] = b"%06o\0 " % total
        disks.append(disk(bytes(data), f"d{i}") + f",serial=s{i}")
    texts = [f"mount s{i} /m{i % 8}; ls /m{i % 8}; umount /m{i % 8}"
             for i in range(8)]
    result = sh("; ".join(texts) + "; service | grep fs; cat /VERSION",
                disks=disks[:8], cpus=2)
    assert "fs              runs     0 restarts\nWeir " in result.text, \
        report(result)


def test_too_many_files(sh, disk):
    files = {f"d{n % 9}/f{n}": b"" for n in range(1100)}
    some = {f"d{n % 9}/f{n}": b"%d" % n for n in range(700)}
    result = sh("mount disk0 /m; ls /m; mount disk1 /m; ls /m/d8 | wc; "
                "cat /m/d8/f692", cpus=2,
                disks=[disk(archive(files)), disk(archive(some), "two")])
    assert result.text.startswith(
        "mount: disk0: there are too many files in it\n"
        "ls: /m: no such file or folder\n"), report(result)
    assert result.text.endswith("77 154 1066\n692"), report(result)


def test_a_name_that_is_too_long_is_left_out(sh, disk):
    files = {"n" * 40: b"x", "m/" + "n" * 80 + "/f": b"x", "good": b"good\n"}
    result = sh("mount disk0 /m; cat /m/good; ls /m",
                disks=[disk(archive(files))], cpus=1)
    assert result.text == "good\n       0 m/\n       5 good\n", \
        report(result)
    assert "fs: disk0: 2 entries left out, the first is " + "n" * 40 in \
        result.console


def numbered(pages):
    """As mountio.c wants them."""
    return b"".join(n.to_bytes(8, "little") * 512 for n in range(pages))


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_file_larger_than_memory(sh, disk, cpus):
    """From its start and at random: pages are dropped, and read again."""
    files = {"big": numbered(16384), "after": b"after\n"}
    result = sh("mount disk0 /m; mountio order /m/big; sum < /m/big; "
                "mountio random /m/big 1000; cat /m/after; umount /m",
                disks=[disk(archive(files))], mem=48, cpus=cpus)
    assert result.status == 0, report(result)
    good, total, random, after = result.text.splitlines()
    assert good == random == "mountio: good" and after == "after"
    assert total.endswith(f" {64 * MIB}"), report(result)


def test_bytes_come_as_they_are(sh, disk):
    data = os.urandom(100_001)
    result = sh("mount disk0 /m; sum < /m/f; cat /m/f | sum",
                disks=[disk(archive({"e": b"x", "f": data}))], cpus=2)
    assert result.text == f"{fnv(data)} {len(data)}\n" * 2, report(result)


def test_umount_of_what_is_used(clean, disk):
    """Refused, until the last reader is gone; the other mount stays."""
    result = clean("sh", "-c", "mount disk0 /m; mount disk0 /n; "
                   "mountio busy /m /m/f && ls /n && mount disk0 /m && "
                   "mountio order /m/f", cpus=2,
                   disks=[disk(archive({"f": numbered(20)}))])
    assert result.text == "mountio: good\n   81920 f\nmountio: good\n"


@pytest.mark.parametrize("cpus", [1, 2])
def test_mounts_survive_the_file_server(sh, disk, cpus):
    """And so do readers that are at work."""
    files = {"big": numbered(8192), **SMALL}
    result = sh("mount disk0 /m; mountio crash /m/big; cat /m/a; umount /m; "
                "ls /m", disks=[disk(archive(files))], mem=48, cpus=cpus)
    assert result.text == ("mountio: good\none\n"
                           "ls: /m: no such file or folder\n"), report(result)


def test_the_block_server_is_killed(sh, disk):
    """Who reads then has a fault; after that the mount works again, and so
    does a new one."""
    files = {"a": b"one\n", "big": numbered(256), "b": b"two\n"}
    result = sh("mount disk0 /m; service kill blk; mountio order /m/big; "
                "echo $?; mountio order /m/big; umount /m; mount disk0 /n; "
                "cat /n/a /n/b", disks=[disk(archive(files))], cpus=2)
    assert result.text.endswith("\n97\nmountio: good\none\ntwo\n"), \
        report(result)
    assert "the blk ended with status 92; starting another in 50 ms" in \
        result.console
