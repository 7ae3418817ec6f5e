"""user/lib/tar.c: the initrd's archive, whole and damaged."""
import io
import tarfile

import pytest

FILES = {"init": b"I" * 1000, "bin/a": b"", "bin/b": b"hello", "c": b"x" * 512}


def archive(files=None, **header):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, data in (FILES if files is None else files).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in header.items():
                setattr(info, key, value)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def patched(data, at, new, fix=True):
    data = bytearray(data)
    data[at:at + len(new)] = new
    if fix:
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.fixture
def run(driver):
    def go(data, *args):
        program = driver("tar_test", ["user/lib/tar.c"])
        *entries, last = program(*args, data=data).splitlines()
        assert last.startswith("error: ")
        return [e.rsplit(" ", 3) for e in entries], last[7:]
    return go


def test_list(run):
    entries, error = run(archive(), "list")
    assert error == "none"
    assert entries == [[name, str(len(data)), "1", str(sum(data))]
                       for name, data in FILES.items()]


def test_gnu_tar_writes_the_same(run, tmp_path):
    import subprocess
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    data = subprocess.run(["tar", "-c", "--format=ustar", "-C", tmp_path, "."],
                          capture_output=True, check=True).stdout
    entries, error = run(data, "list")
    assert error == "none"
    assert {e[0]: int(e[1]) for e in entries if e[2] == "1"} == {
        name: len(data) for name, data in FILES.items()}
    assert {e[0] for e in entries if e[2] == "0"} <= {"", "bin", "bin/"}


@pytest.mark.parametrize("name", ["init", "bin/a", "bin/b", "c"])
def test_find(run, name):
    entries, error = run(archive(), "find", name)
    assert error == "none"
    assert entries[0][:2] == [name, str(len(FILES[name]))]


@pytest.mark.parametrize("name", ["", "bin", "bin/", "ini", "init2", "/init"])
def test_find_not(run, name):
    assert run(archive(), "find", name) == ([], "no such file")


def test_directories_are_not_files(run):
    data = archive({"bin": b""}, type=tarfile.DIRTYPE)
    entries, error = run(data, "list")
    assert error == "none" and entries[0][2] == "0"
    assert run(data, "find", entries[0][0])[1] == "no such file"


def test_empty_archive_has_no_files(run):
    assert run(archive({}), "list") == ([], "none")


@pytest.mark.parametrize("prefix, name", [
    (155, 100), (155, 99), (154, 100), (1, 1), (1, 100)])
def test_longest_names(run, prefix, name):
    header = patched(archive({"n": b"abc"}), 345, b"p" * prefix)
    data = patched(header, 0, b"n" * name)
    entries, error = run(data, "list")
    assert error == "none"
    assert entries[0][0] == "p" * prefix + "/" + "n" * name
    assert entries[0][1] == "3"


def test_every_truncation_is_noticed(run, driver):
    data = archive({"a": b"x" * 700, "b": b""})
    end = data.rstrip(b"\0")
    needed = (len(end) // 512 + 1) * 512 + 1024
    for size in list(range(0, needed, 256)) + [1, 511, 513, needed - 1]:
        entries, error = run(data[:size], "list")
        assert "truncated" in error or "empty" in error, size
        assert run(data[:size], "find", "a")[1] == error
    assert run(data[:needed], "list")[1] == "none"


@pytest.mark.parametrize("at, new, fix, word", [
    (0, b"J", False, "checksum"),
    (148, b"zzzzzz", False, "checksum"),
    (148, b"\0" * 8, False, "checksum"),
    (257, b"nustar", True, "ustar"),
    (124, b"not octal!!\0", True, "number"),
    (124, b"\0" * 12, True, "number"),
    (124, b"           8", True, "number"),
    (124, b"77777777777\0", True, "truncated"),
    (124, b"777777777777", True, "truncated"),
    (124, b"\x80" + b"\xff" * 11, True, "number"),
])
def test_damage_is_named(run, at, new, fix, word):
    entries, error = run(patched(archive(), at, new, fix), "list")
    assert entries == [] and word in error


def test_one_empty_block_is_not_the_end(run):
    data = bytearray(archive())
    data[0:512] = bytes(512)
    assert "empty block" in run(bytes(data), "list")[1]


@pytest.mark.parametrize("data", [b"", b"\0", b"garbage" * 1000, b"\0" * 1023,
                                  b"\xff" * 4096])
def test_garbage(run, data):
    entries, error = run(data, "list")
    assert entries == [] and error != "none"
