"""What the host needs: `doctor` lists it, `setup` installs what is missing.

Every need is probed by what it must do (a command that answers, a file that
is there), never by asking the package manager; packages are Debian's names.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

MACHINE = platform.machine()
NATIVE = MACHINE == "x86_64"


@dataclass
class Need:
    name: str
    why: str
    package: str
    command: tuple = ()     # prints its version
    files: tuple = ()       # or: one of these must exist
    least: str = ""         # oldest version that will do
    optional: bool = False
    tests: bool = False     # only `make test` needs it, and it is large


def module(name, why, tests=False):
    code = (f"import {name.replace('-', '_')} as m;"
            "print(getattr(m, '__version__', ''))")
    return Need(f"python {name}", why, "python3-" + PYTHON_PACKAGES[name],
                command=("/usr/bin/python3", "-c", code), tests=tests)


PYTHON_PACKAGES = {"pytest": "pytest", "xdist": "pytest-xdist",
                   "pytest-timeout": "pytest-timeout", "pexpect": "pexpect",
                   "matplotlib": "matplotlib", "jinja2": "jinja2"}

COMPILER = next((p + "gcc" for p in ("x86_64-elf-", "x86_64-linux-gnu-")
                 if shutil.which(p + "gcc")), "x86_64-linux-gnu-gcc")

# It is no file of a fixed name, so it is tried.
FUZZER = ("echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |"
          " clang -fsanitize=fuzzer,address -x c -o /dev/null -")

TOML = ("import importlib.util as u, sys;"
        "sys.exit(not (u.find_spec('tomllib') or u.find_spec('toml')))")

NEEDS = [
    Need(COMPILER, "compiles the kernel and the user programs",
         "gcc" if NATIVE else "gcc-x86-64-linux-gnu",
         command=(COMPILER, "--version"), least="8.0"),
    Need("gcc", "compiles the host tests", "gcc", command=("gcc", "--version"),
         least="8.0"),
    Need("libc headers", "the host tests' C library", "libc6-dev",
         files=("/usr/include/stdio.h",)),
    Need("ld", "links the kernel",
         "binutils" if NATIVE else "binutils-x86-64-linux-gnu",
         command=(COMPILER.replace("gcc", "ld"), "--version"), least="2.35"),
    Need("make", "drives the build", "make", command=("make", "--version"),
         least="4.2"),
    Need("nasm", "assembles boot/ and arch/", "nasm",
         command=("nasm", "-v"), least="2.14"),
    Need("musl headers", "headers and libc.a for the user programs",
         "musl-dev" if NATIVE else "musl-dev:amd64",
         files=("/usr/include/x86_64-linux-musl/stdio.h",
                "/usr/lib/musl/include/stdio.h")),
    Need("libbsd headers", "sys/queue.h and sys/tree.h for the kernel",
         "libbsd-dev", files=("/usr/include/bsd/sys/queue.h",)),
    Need("grub-mkrescue", "makes the ISO", "grub-common",
         command=("grub-mkrescue", "--version"), least="2.02"),
    Need("GRUB for BIOS", "the ISO boots with BIOS", "grub-pc-bin",
         files=("/usr/lib/grub/i386-pc/multiboot2.mod",)),
    Need("GRUB for UEFI", "the ISO boots with UEFI", "grub-efi-amd64-bin",
         files=("/usr/lib/grub/x86_64-efi/multiboot2.mod",)),
    Need("mtools", "grub-mkrescue fails obscurely without it", "mtools",
         command=("mformat", "--version"), least="4.0"),
    Need("xorriso", "grub-mkrescue writes the ISO with it", "xorriso",
         command=("xorriso", "--version"), least="1.4"),
    Need("qemu-system-x86_64", "the machine that Weir runs on",
         "qemu-system-x86", command=("qemu-system-x86_64", "--version"),
         least="5.2"),
    Need("OVMF", "UEFI firmware for QEMU", "ovmf",
         files=("/usr/share/OVMF/OVMF_CODE_4M.fd",
                "/usr/share/OVMF/OVMF_CODE.fd")),
    Need("bochs", "the other machine, with x2APIC (vm --machine bochs)",
         "bochs", files=("/usr/bin/bochs",), tests=True),
    Need("bochs screen", "Bochs starts with no other one without X",
         "bochs-term", files=(f"/usr/lib/{MACHINE}-linux-gnu/bochs/plugins/"
                              "libbx_term_gui.so",), tests=True),
    Need("bochs BIOS", "boots Bochs", "bochsbios",
         files=("/usr/share/bochs/BIOS-bochs-latest",), tests=True),
    Need("bochs VGA BIOS", "Bochs asks for it", "vgabios",
         files=("/usr/share/bochs/VGABIOS-lgpl-latest",), tests=True),
    Need("spin", "checks the protocol's model (make model)", "spin",
         command=("spin", "-V"), least="6.4", tests=True),
    Need("clang", "compiles the fuzzer's targets", "clang",
         command=("clang", "--version"), least="11.0", tests=True),
    Need("libFuzzer", "feeds them (make fuzz, and a little in make test)",
         "libclang-rt-dev", command=("sh", "-c", FUZZER), tests=True),
    Need("parallel", "grades a class on many machines", "parallel",
         command=("parallel", "--version"), tests=True),
    Need("sshd", "the test of that", "openssh-server",
         files=("/usr/sbin/sshd",), tests=True),
    Need("ssh", "the test of that", "openssh-client",
         files=("/usr/bin/ssh",), tests=True),
    Need("Slurm", "grades a class as an array of jobs", "slurm-wlm",
         files=("/usr/sbin/slurmctld",), tests=True),
    Need("munge", "the test of that", "munge", files=("/usr/sbin/munged",),
         tests=True),
    Need("python3", "tools/weir and the tests", "python3",
         command=("/usr/bin/python3", "--version"), least="3.9"),
    Need("toml", "reads labs/*/lab.toml", "python3-toml",
         command=("/usr/bin/python3", "-c", TOML)),
    module("pytest", "runs the tests"),
    module("xdist", "runs two tests at a time"),
    module("pytest-timeout", "ends a test that hangs"),
    module("pexpect", "types at the guest's console"),
    module("matplotlib", "draws (tools/weir bench, figures)", tests=True),
    module("jinja2", "the page of tools/weir bench", tests=True),
    Need("gdb", "only for make gdb", "gdb", command=("gdb", "--version"),
         least="10.0", optional=True),
]


def version_key(text):
    return [int(part) for part in re.findall(r"\d+", text)[:3]]


def probe(need):
    """(fit, what was found)"""
    if need.files:
        found = next((f for f in need.files if os.path.exists(f)), None)
        return found is not None, "installed" if found else "missing"
    try:
        answer = subprocess.run(need.command, capture_output=True, text=True,
                                timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False, "missing"
    if answer.returncode != 0:
        return False, "missing"
    first = re.sub(r"\([^)]*\)", "", answer.stdout + answer.stderr)
    match = re.search(r"\d+\.\d+(\.\d+)?", first)
    if match is None:
        return True, "installed"
    version = match.group(0)
    fit = not need.least or version_key(version) >= version_key(need.least)
    return fit, version


def install_line(packages, prefix=""):
    return f"{prefix}apt-get install -y --no-install-recommends " \
        + " ".join(dict.fromkeys(packages))


def doctor(_args):
    print(f"{'needed':20} {'found':12} {'at least':9} install with")
    bad = 0
    for need in NEEDS:
        fit, found = probe(need)
        bad += not fit and not need.optional
        mark = "ok" if fit else "optional" if need.optional else "MISSING"
        print(f"{need.name:20} {found:12} {need.least or '-':9} "
              f"{install_line([need.package])}   [{mark}]")
    print("All that is needed is here." if not bad else
          f"{bad} missing; `tools/weir setup` installs what is missing.")
    return 1 if bad else 0


def as_root():
    """The prefix that makes a command run as root, or None."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    return ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]


def agreed():
    if not sys.stdin.isatty():
        return True
    answer = input("Install these now? [Y/n] ").strip().lower()
    return answer in ("", "y", "yes")


def missing_needs(tests):
    """What must still be installed, with or without what tests need."""
    return [need for need in NEEDS if not need.optional
            and (tests or not need.tests) and not probe(need)[0]]


def setup(args):
    tests = not getattr(args, "no_tests", False)
    missing = missing_needs(tests)
    if not missing:
        return 0
    print("Missing on this machine:")
    for need in missing:
        print(f"  {need.name:20} {need.why} (package {need.package})")
    packages = [need.package for need in missing]
    root = as_root()
    if shutil.which("apt-get") is None or root is None:
        print("Please install them as root: " + install_line(packages),
              file=sys.stderr)
        return 1
    if not agreed():
        return 1
    return install(root, packages, tests)


def install(root, packages, tests):
    sys.stdout.flush()
    env = ["env", "DEBIAN_FRONTEND=noninteractive"]
    line = install_line(packages).split()
    for command in (["apt-get", "update", "-q"], line + ["-q"]):
        print("+ " + " ".join(root + command), flush=True)
        status = subprocess.run(root + env + command, check=False,
                                stdin=subprocess.DEVNULL
                                if not sys.stdin.isatty() else None)
        if status.returncode != 0 and "install" in command:
            print("The installation failed.", file=sys.stderr)
            return 1
    still = [need.name for need in missing_needs(tests)]
    if still:
        print("Still missing or too old: " + ", ".join(still),
              file=sys.stderr)
    return 1 if still else 0


def add_verbs(sub):
    sub.add_parser("doctor", help="each tool needed, the version found, the "
                   "install line").set_defaults(run=doctor)
    verb = sub.add_parser("setup", help="install what is missing")
    verb.add_argument("--no-tests", action="store_true",
                      help="but nothing large that only tests need")
    verb.set_defaults(run=setup)
