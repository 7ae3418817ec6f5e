"""Linux, the peer: Debian's own kernel in the machine that Weir runs in.

The kernel is Debian's package, fetched with apt-get and unpacked in a cache
folder, never installed. Its initrd is one static program, tools/peer-linux/
init.c, which runs Weir's workload, and the driver of the RAM disk that it
swaps to.
"""

import gzip
import json
import lzma
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from weirlib import host, vm

SOURCE = vm.ROOT / "tools/peer-linux/init.c"
OUT = vm.ROOT / "build/peer-linux"
META = "linux-image-amd64"      # depends on the newest kernel
COMPILER = "gcc" if host.NATIVE else "x86_64-linux-gnu-gcc"
# Nothing that costs it time and that Weir does not do either. Without ERMS it
# clears a page by words: under icount each step of a `rep` is an instruction.
WORDS = ("console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off "
         "transparent_hugepage=never no5lvl tsc=reliable nokaslr nowatchdog "
         "init_on_alloc=0 clearcpuid=erms")


@dataclass
class Run:
    """One boot: an object a phase, MiB free before, and the console."""
    phases: list
    free_mib: float
    console: str


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "weir-peer-linux"


def command(line, **keywords):
    """Its standard output; what fails is why the host cannot run it."""
    try:
        done = subprocess.run(line, capture_output=True, text=True,
                              check=False, **keywords)
    except OSError as error:
        raise vm.HostError(f"{line[0]}: {error.strerror}") from error
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise vm.HostError(f"{' '.join(map(str, line[:2]))}: {last}")
    return done.stdout


def fetch():
    """Unpacks Debian's newest kernel into a folder of the cache."""
    found = re.search(r"Depends: (linux-image-\S+)",
                      command(["apt-cache", "depends", META]))
    if not found:
        raise vm.HostError(f"apt does not know {META}")
    folder = cache() / found.group(1)
    half = cache() / f"unpacking.{os.getpid()}"
    try:
        half.mkdir(parents=True)
        command(["apt-get", "download", found.group(1)], cwd=half)
        command(["dpkg", "-x", *half.glob("*.deb"), half / "root"])
        shutil.rmtree(folder, ignore_errors=True)
        (half / "root").rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return folder


def kernel():
    """The folder of a kernel: the newest that is there, else fetched."""
    have = [folder for folder in cache().glob("linux-image-*")
            if image(folder)]
    return max(have, key=numbers) if have else fetch()


def numbers(folder):
    return [int(n) for n in re.findall(r"\d+", folder.name)]


def image(folder):
    return next(folder.glob("boot/vmlinuz-*"), None)


def version(folder):
    return "Linux " + image(folder).name.partition("-")[2]


def ramdisk_driver(folder):
    path = next(folder.rglob("brd.ko*"))
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def cpio(entries):
    """A newc archive of (name, mode, device, bytes)."""
    out = bytearray()
    last = ("TRAILER!!!", 0, (0, 0), b"")
    for inode, (name, mode, device, data) in enumerate([*entries, last], 1):
        raw = name.encode() + b"\0"
        numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device,
                   len(raw), 0)
        out += b"070701" + b"".join(b"%08X" % n for n in numbers) + raw
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def initrd(folder):
    """Builds the program and the archive; returns the archive's path."""
    OUT.mkdir(parents=True, exist_ok=True)
    command([COMPILER, "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-static",
             "-pthread", f"-I{vm.ROOT}", "-o", OUT / "init", SOURCE])
    archive = cpio([
        ("dev", 0o040755, (0, 0), b""),
        ("dev/console", 0o020600, (5, 1), b""),
        ("init", 0o100755, (0, 0), (OUT / "init").read_bytes()),
        ("brd.ko", 0o100644, (0, 0), ramdisk_driver(folder))])
    path = OUT / "initrd.gz"
    path.write_bytes(gzip.compress(archive, 6, mtime=0))
    return path


def boot(options, folder, archive, words):
    """Boots it in the machine that vm.Options says; returns a Run.

    words: {key: value} of the parameters that init.c lists.
    """
    line = " ".join([WORDS, *(f"wl.{k}={v}" for k, v in words.items())])
    arguments = vm.machine_arguments(options) + [
        "-kernel", image(folder), "-initrd", archive, "-append", line,
        "-serial", "stdio"]
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False,
                              timeout=options.timeout)
    except subprocess.TimeoutExpired as error:
        text = (error.stdout or b"").decode(errors="replace")
        raise vm.HostError("Linux ran longer than its limit of "
                           f"{options.timeout:g} s: {text[-300:]}") from None
    return parse(done.stdout.decode(errors="replace"))


def parse(console):
    lines = re.findall(r"WL (.*?)\r?$", console, re.M)
    bad = [line for line in lines if line.startswith("failed")]
    if bad or "done" not in lines:
        raise vm.HostError("Linux did not finish: "
                           + (bad[0] if bad else console[-300:].strip()))
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    return Run([o for o in objects if "phase" in o],
               objects[0]["memfree_kb"] / 1024, console)
