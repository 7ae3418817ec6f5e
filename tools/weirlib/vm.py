"""Boots the ISO in QEMU, reads COM2, and says how it ended.

One Machine is one boot. Everything that it creates on the host (COM2's
file, the copy of the UEFI variables, logs) is in a directory of its own, so
that any number of them run at once.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

from weirlib import records, terminal

ROOT = Path(__file__).resolve().parents[2]
QEMU = "qemu-system-x86_64"
OVMF = [  # (code, variables): Debian's names, newest first
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
]

POLICIES = ("immediate", "batch-clean", "batch-dirty", "two-pass", "lazy")
PANIC, TRIPLE, HANG, TIMEOUT, HOST = 101, 102, 103, 104, 105
RESET = "The machine was reset without a word: a triple fault."
PANIC_CODE = 0x7F       # what a panic writes to the exit device
BOOT_SECONDS = 60       # nothing at all on COM1 and COM2: a hang
BEAT_SECONDS = 30       # the guest owes one each second
LOGGED = 20             # times as slow
STILL_BEATS = 15        # idle beats without progress: a deadlock
POLL_SECONDS = 0.02     # how long a record may lie unread
ICOUNT_SHIFT = 1        # an instruction takes 2 to this power ns


class HostError(Exception):
    """The host could not run it: verdict 105."""


class Lacks(HostError):
    """The machine that is asked for has not got that."""


def default_iso():
    return Path(os.environ.get("WEIR_ISO", ROOT / "build" / "weir.iso"))


@dataclass
class Options:
    """Of one boot; what is not given is as for `tools/weir vm`."""
    cpus: int = 4
    mem: int = 64               # MiB that the kernel may use, swap included
    swap: int = None            # MiB
    tlb: str = None
    words: list = field(default_factory=list)   # further key=value
    machine: str = "qemu"
    cpu_model: str = None       # the emulator's name; default: all it can
    accel: str = "tcg"
    firmware: str = "bios"
    timeout: float = None
    log: str = None             # copy of COM1
    iso: Path = None
    ram: int = None             # MiB of the machine; default: enough
    disks: list = field(default_factory=list)   # FILE[,serial=NAME][,ro]
    swap_disk: int = None       # MiB of an empty disk that is swap
    gdb: bool = False           # wait for a debugger on gdb.sock
    exec_log: tuple = None      # fifo, first and last address: blocks that ran
    cpu_word: bool = True       # tell the kernel how many CPUs to expect


@dataclass
class Result:
    status: int
    verdict: str = ""           # one sentence, "" for a status of the guest
    output: bytes = b""         # what COMMAND printed
    console: str = ""           # COM1
    records: list = field(default_factory=list)
    seconds: float = 0.0
    command: str = ""           # the command line that boots the same again
    lacks: bool = False         # HOST, for the machine has not got that

    @property
    def text(self):
        return self.output.decode(errors="replace")


def quote(value):
    """A value as a word of the kernel's command line."""
    if value and not any(c in ' \t"\\\'' for c in value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def word(value):
    """A value as one word of the guest's shell."""
    if value and not any(c in " \t\"\\'$;&|<>#" for c in value):
        return value
    escaped = re.sub(r'(["\\$])', r"\\\1", value)
    return f'"{escaped}"'


def kernel_words(options, command):
    """The key=value words of the kernel's command line, unquoted."""
    words = [f"cpus={options.cpus}"] if options.cpu_word else []
    for key in ("mem", "swap", "tlb"):
        if getattr(options, key) is not None:
            words.append(f"{key}={getattr(options, key)}")
    if options.swap_disk is not None:
        words.append("swap=virtio")
    words += options.words
    if command:
        words.append("run=" + " ".join(word(a) for a in command))
    return words


def command_line(options, command):
    """The text of opt/weir/cmdline."""
    parts = (w.partition("=") for w in kernel_words(options, command))
    return " ".join(key + equals + (quote(value) if value else "")
                    for key, equals, value in parts)


def shown(options, command):
    """The command line that boots the same again: all that is not the
    default. `gdb` and `cpu_word` are for programs alone."""
    usual, line = Options(iso=ROOT / "build" / "weir.iso"), []
    flags = {"words": "--set", "disks": "--disk"}
    for name in (f.name for f in fields(Options)):
        value = getattr(options, name)
        if name in ("gdb", "cpu_word") or value is None or \
                value == getattr(usual, name):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path) and one.is_relative_to(ROOT):
                one = one.relative_to(ROOT)
            line += [flags.get(name, "--" + name.replace("_", "-")), str(one)]
    line += ["--", *command] if command else []
    return shlex.join(["tools/weir", "vm", *line])


def disk_arguments(disks):
    """QEMU's arguments for `FILE[,serial=NAME][,ro]` each."""
    arguments, serials = [], set()
    for i, disk in enumerate(disks):
        file, *words = disk.split(",")
        serial, readonly = f"disk{i}", False
        for w in words:
            if w == "ro":
                readonly = True
            elif re.fullmatch(r"serial=[\w.-]{1,20}", w):
                serial = w.partition("=")[2]
            else:
                raise HostError(f"--disk {disk}: {w!r} is neither "
                                "serial=NAME (1 to 20 of a-z 0-9 . _ -) "
                                "nor ro")
        if serial in serials:
            raise HostError(f"two disks have the serial {serial}")
        serials.add(serial)
        if not Path(file).is_file():
            raise HostError(f"--disk {disk}: there is no file {file}")
        arguments += [
            "-drive", f"file={file},format=raw,if=none,id=blk{i}"
                      + (",readonly=on" if readonly else ""),
            "-device", f"virtio-blk-pci,drive=blk{i},serial={serial}"]
    return arguments


def machine_ram(options):
    """MiB for the machine: the kernel's, and what the firmware keeps."""
    if options.ram:
        return options.ram
    if options.firmware == "uefi":
        return max(options.mem + 64, 256)
    return options.mem + 32


def accelerator(options):
    if options.accel == "icount":
        return ["-accel", "tcg,thread=single", "-icount",
                f"shift={ICOUNT_SHIFT},sleep=off", "-rtc", "clock=vm",
                "-seed", "1"]
    if options.accel == "kvm":
        return ["-accel", "kvm"]
    # With more guest CPUs than host cores, a CPU that waits for another
    # spins while that one is not running at all. Taking turns on one
    # host thread, a spinning CPU's PAUSE gives the turn away.
    fits = options.cpus <= (os.cpu_count() or 1)
    return ["-accel", "tcg,thread=" + ("multi" if fits else "single")]


def machine_arguments(options):
    """QEMU's name and what the machine is, whatever boots in it."""
    if shutil.which(QEMU) is None:
        raise HostError(f"{QEMU} is not installed; see tools/weir doctor")
    o = options
    return [QEMU, "-nodefaults", "-no-user-config", "-machine", "pc",
            "-cpu", o.cpu_model or ("host" if o.accel == "kvm" else "max"),
            "-smp", f"cpus={o.cpus},cores={o.cpus}",
            "-m", str(machine_ram(o)), "-display", "none", "-no-reboot",
            *accelerator(o)]


class Machine:
    """One boot of the ISO. run() returns its Result."""

    def __init__(self, options, command=(), console=None, on_output=None,
                 first=None):
        """console: None (to a file), or "stdio" for this terminal, where
        `first` is typed at the first prompt."""
        self.options = options
        self.command = list(command)
        self.console = console
        self.on_output = on_output
        self.first = first
        self.parser = records.Parser()
        self.records = []
        self.output = b""
        self.booted = False
        self.progress = None
        self.still = 0
        self.verdict = None     # (code, sentence) decided by us
        # Somebody watches for himself, so we do not judge.
        self.watched = options.gdb or console == "stdio" and not self.command
        self.process = None
        self.dir = None

    # --- the command line of QEMU ---------------------------------------
    def arguments(self):
        o = self.options
        iso = self._iso()
        cmdline = self.dir / "cmdline"
        cmdline.write_text(command_line(o, self.command))
        args = machine_arguments(o) + [
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
            "-fw_cfg", f"name=opt/weir/cmdline,file={cmdline}",
            "-drive", f"file={iso},format=raw,if=none,id=cd,media=cdrom,"
                      "readonly=on",
            "-device", "ide-cd,drive=cd,bootindex=0",
        ]
        args += disk_arguments(o.disks + self._swap_disk())
        args += self._firmware() + self._serial()
        if o.gdb:
            args += ["-S", "-gdb", f"unix:{self.dir}/gdb.sock,server=on,"
                     "wait=off"]
        if o.exec_log:
            path, first, last = o.exec_log
            args += ["-d", "exec,nochain", "-D", str(path),
                     "-dfilter", f"{first:#x}..{last:#x}"]
        return args

    def _swap_disk(self):
        """A sparse file, gone with the machine."""
        if self.options.swap_disk is None:
            return []
        if not 1 <= self.options.swap_disk <= 1 << 20:
            raise HostError("--swap-disk: 1 to 1048576 MiB")
        path = self.dir / "swap.img"
        with open(path, "wb") as file:
            file.truncate(self.options.swap_disk << 20)
        return [f"{path},serial=swap"]

    def _iso(self):
        iso = Path(self.options.iso or default_iso())
        if not iso.is_file():
            raise HostError(f"{iso} is not there; `make iso` builds it")
        return iso

    def _firmware(self):
        if self.options.firmware == "bios":
            return []
        for code, variables in OVMF:
            if os.path.exists(code) and os.path.exists(variables):
                copy = self.dir / "vars.fd"
                shutil.copyfile(variables, copy)
                pflash = "if=pflash,format=raw"
                return ["-drive", f"{pflash},unit=0,readonly=on,file={code}",
                        "-drive", f"{pflash},unit=1,file={copy}"]
        raise HostError("no UEFI firmware for QEMU (package ovmf)")

    def _serial(self):
        log = self._choose_log()
        if self.console == "stdio":
            backend = f"socket,path={self.dir}/com1,server=on,wait=on" \
                if self.first else "stdio,signal=off"
            com1 = f"{backend},id=com1,mux=on,logfile={log}"
            monitor = ["-mon", "chardev=com1,mode=readline"]
        else:
            com1, monitor = f"file,id=com1,path={log}", []
        return ["-chardev", com1, "-serial", "chardev:com1",
                "-chardev", f"file,id=com2,path={self.dir}/com2",
                "-serial", "chardev:com2"] + monitor

    def _choose_log(self):
        self.log = Path(self.options.log or
                        self.dir / "console.log").absolute()
        return self.log

    # --- one boot -------------------------------------------------------
    def run(self):
        self.dir = Path(tempfile.mkdtemp(prefix="weir-"))
        start, lacks = time.monotonic(), False
        try:
            code = self._run(start)
            status, verdict = self._judge(code)
            console = self.log.read_text(errors="replace") \
                if self.log.exists() else ""
        except HostError as error:
            status, console = HOST, ""
            lacks = isinstance(error, Lacks)
            verdict = f"The host could not run it: {error}."
        finally:
            self.stop()
            shutil.rmtree(self.dir, ignore_errors=True)
        return Result(status, verdict, self.output, console, self.records,
                      time.monotonic() - start,
                      shown(self.options, self.command), lacks)

    def _run(self, start):
        args = self.arguments()
        self.errors = open(self.dir / "errors", "wb+")
        try:
            self.process = subprocess.Popen(args, stderr=self.errors,
                                            **self._surroundings())
        except OSError as error:
            raise HostError(f"{args[0]} does not start: {error}") from error
        desk = self._desk()
        if desk:
            desk.start()
        try:
            self._watch(start)
            return self.process.wait()
        finally:
            if desk:
                desk.stop()

    def _surroundings(self):
        """What the process gets besides its arguments."""
        mine = self.console == "stdio" and not self.first
        return {"stdin": None if mine and not self.command
                else subprocess.DEVNULL,
                "stdout": None if mine else subprocess.DEVNULL}

    def _desk(self):
        """Who relays between this terminal and COM1, or None."""
        if not self.first:
            return None
        return terminal.Terminal(terminal.SocketLine(self.dir / "com1"),
                                 self.first)

    def _watch(self, start):
        """Reads COM2 until QEMU ends, or a verdict of ours ends it.

        COM2 is a file: QEMU drops what a full socket does not take.
        """
        self.last_sign = time.monotonic()
        self.log_size = 0
        while not (self.dir / "com2").exists():
            if self.process.poll() is not None:
                return
            time.sleep(POLL_SECONDS)
        with open(self.dir / "com2", "rb") as com2:
            ended = False
            while not ended:
                ended = self._wait_a_moment()
                data = com2.read()
                if data:
                    self.last_sign = time.monotonic()
                for kind, payload in self.parser.feed(data):
                    self._record(kind, payload)
                self.verdict = self.verdict or self._check(start)
                if self.verdict is not None:
                    self.stop()
                    return

    def _wait_a_moment(self):
        """True when QEMU has ended."""
        try:
            self.process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _record(self, kind, payload):
        self.records.append((kind, payload))
        if kind == "out":
            self.output += payload
            if self.on_output:
                self.on_output(payload)
        elif kind == "boot":
            self.booted = True
        elif kind == "beat":
            self._beat(records.fields(payload))

    def _beat(self, beat):
        same = beat.get("progress") == self.progress
        self.still = self.still + 1 if same and beat.get("idle") == "1" else 0
        self.progress = beat.get("progress")

    def _check(self, start):
        """A verdict that the guest cannot give about itself, or None."""
        now = time.monotonic()
        o = self.options
        if o.timeout and now - start > o.timeout:
            return (TIMEOUT, "The machine ran longer than its limit of "
                    f"{o.timeout:g} s.")
        if self.watched:
            return None
        if not self.booted and self.log.exists():
            size = self.log.stat().st_size
            if size != self.log_size:
                self.log_size, self.last_sign = size, now
        limit = BEAT_SECONDS if self.booted else BOOT_SECONDS
        limit *= LOGGED if o.exec_log else 1
        if self._silent(now) > limit:
            where = "since the boot" if self.booted else "before the boot"
            return (HANG, "The machine hangs: no sign of life for "
                    f"{limit} s {where}.")
        if self.still >= STILL_BEATS:
            return (HANG, f"The machine hangs: for {STILL_BEATS} s every CPU "
                    "was idle, and nothing went on.")
        return None

    def _silent(self, now):
        """For how many seconds there was no sign of life."""
        return now - self.last_sign

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _judge(self, code):
        """QEMU's exit code as (status, sentence)."""
        if self.verdict is not None:
            return self.verdict
        if code == 2 * PANIC_CODE + 1:
            return PANIC, f"The kernel panicked: {self._panic()}."
        if code == 1 and not self.booted:
            return HOST, f"The host could not run it: {self._complaint()}."
        if code > 0 and code % 2 == 1 and code // 2 <= 99:
            return code // 2, ""
        if code == 0 and self.watched:
            return 0, ""        # left through QEMU's monitor
        if code == 0:
            return TRIPLE, RESET
        if code < 0:
            name = signal.Signals(-code).name
            return HOST, f"The host could not run it: QEMU ended by {name}."
        return HOST, f"The host could not run it: {self._complaint()}."

    def _panic(self):
        for kind, payload in self.records:
            if kind == "panic" and payload:
                text = payload.decode(errors="replace").strip()
                return text.split("\n")[0].rstrip(".")
        return "no text arrived"

    def _complaint(self):
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        return text.split("\n")[-1].rstrip(".") or "QEMU gave no reason"


def create(options, *arguments, **keywords):
    """The Machine that options.machine names."""
    from weirlib import bochs   # which is made of this module's parts
    kinds = {"qemu": Machine, "bochs": bochs.Bochs}
    return kinds[options.machine](options, *arguments, **keywords)


def run(options=None, command=(), **keywords):
    """Boots, runs COMMAND in the guest's shell, returns the Result."""
    return create(options or Options(**keywords), command).run()
