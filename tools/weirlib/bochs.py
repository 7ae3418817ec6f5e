"""Boots the ISO in Bochs: a second machine, and one that has x2APIC.

What differs from QEMU: there is no fw_cfg, so the kernel's parameters are
put on GRUB's command line, in a copy of the ISO; and there is no exit
device, so the records on COM2 say how the guest ended, and Bochs's last
message why the machine did. Debian's Bochs starts in its debugger, which a
script leaves at once, and draws the screen with curses, into /dev/null.
"""

import os
import re
import shutil
import subprocess

from weirlib import image, terminal, vm
from weirlib.vm import HostError, Lacks

BOCHS = "bochs"
SHARE = "/usr/share/bochs"
ROMS = {f"{SHARE}/BIOS-bochs-latest": "bochsbios",
        f"{SHARE}/VGABIOS-lgpl-latest": "vgabios"}
CONFIG = """\
config_interface: textconfig
display_library: term
cpu: model={model}, count={cpus}:1:1, ips={ips}
cpu: reset_on_triple_fault=0
megs: {ram}
romimage: file={bios}
vgaromimage: file={vgabios}
ata0-master: type=cdrom, path=weir.iso, status=inserted
boot: cdrom
com1: enabled=1, {com1}
com2: enabled=1, mode=file, dev=com2
log: log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""
MODEL = "corei7_skylake_x"  # with x2APIC, PCID and INVPCID
# Instructions that make one second of the guest's. The BIOS waits 3 s for
# a key, so this is less than what a host can do.
IPS = 20_000_000
OFF = "soft power off"
TRIPLE_FAULT = "exception with no resolution"
LAST_WORDS = re.compile(r"exiting with the following message:\s*"
                        r"\[\w+ *\] *(.*)")
RESET = b"::Reset("         # in the log, and once when the power comes on


class Bochs(vm.Machine):
    """One boot of the ISO in Bochs. run() returns its Result."""

    def arguments(self):
        o = self.options
        if o.accel != "tcg" or o.firmware != "bios":
            raise Lacks("with --machine bochs there is neither --accel nor "
                        "--firmware uefi")
        if o.disks or o.swap_disk is not None:
            raise Lacks("with --machine bochs there is no --disk, and no "
                        "--swap-disk")
        if shutil.which(BOCHS) is None:
            raise HostError(f"{BOCHS} is not installed (packages bochs and "
                            "bochs-term)")
        for rom, package in ROMS.items():
            if not os.path.exists(rom):
                raise HostError(f"{rom} is not there (package {package})")
        self._make_iso()
        bios, vgabios = ROMS
        (self.dir / "bochsrc").write_text(CONFIG.format(
            cpus=o.cpus, model=o.cpu_model or MODEL, ips=IPS,
            ram=vm.machine_ram(o), bios=bios, vgabios=vgabios,
            com1=self._com1()))
        (self.dir / "script").write_text("continue\n")
        for name in ("com2", "log"):    # Bochs opens them later
            (self.dir / name).touch()
        self.log_read = self.resets = 0
        return [BOCHS, "-q", "-f", "bochsrc", "-rc", "script"]

    def _make_iso(self):
        """The ISO with our words on its kernel's command line."""
        tree = self.dir / "tree"
        image.unpack(self._iso(), tree)
        image.add_words(tree, vm.kernel_words(self.options, self.command))
        image.make(self.dir / "weir.iso", tree)

    def _com1(self):
        self._choose_log()
        if self.console == "stdio":
            self.line = terminal.PtyLine()
            return f"mode=term, dev={self.line.name}"
        (self.dir / "com1").symlink_to(self.log)
        return "mode=file, dev=com1"

    def _surroundings(self):
        """No signal of this terminal's may wake Bochs's debugger."""
        return {"cwd": self.dir, "env": {**os.environ, "TERM": "vt100"},
                "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                "start_new_session": True}

    def _desk(self):
        if self.console != "stdio":
            return None
        return terminal.Terminal(self.line, self.first or "", self.log,
                                 keyboard=self.watched, leave=self._leave)

    def _leave(self):
        self.verdict = (0, "")

    def stop(self):
        """Bochs catches SIGTERM, and may then stay in its debugger."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _check(self, start):
        return super()._check(start) or self._check_reset()

    def _check_reset(self):
        """Bochs has no -no-reboot: its log tells of the second reset."""
        with open(self.dir / "log", "rb") as log:
            log.seek(self.log_read)
            lines = log.read().rpartition(b"\n")[0]
        self.log_read += len(lines)
        self.resets += lines.count(RESET)
        return (vm.TRIPLE, vm.RESET) if self.resets > 1 else None

    def _judge(self, code):
        """Bochs's last message and the guest's last records."""
        if self.verdict is not None:
            return self.verdict
        ends = [(kind, payload) for kind, payload in self.records
                if kind in ("exit", "panic")]
        message = self._complaint()
        if TRIPLE_FAULT in message:
            return vm.TRIPLE, vm.RESET
        if OFF not in message:
            return vm.HOST, f"The host could not run it: {message}."
        if ends and ends[-1][0] == "exit":
            return int(ends[-1][1]), ""
        return vm.PANIC, f"The kernel panicked: {self._panic()}."

    def _complaint(self):
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace")
        words = LAST_WORDS.search(text)
        return words.group(1).strip().rstrip(".") if words \
            else "Bochs gave no reason"
