"""A boot of the test machine under QEMU: its command line, its console, its end."""

import os
import pathlib
import re
import select
import subprocess
import sys
import time

MEMORY_MB = 2048
UP_LINE = "farmd-vm: up"
UP_SECONDS = 150
# A kernel that is really accelerated is up in a second or two; some machines have a /dev/kvm that only seems to work.
KVM_UP_SECONDS = 15
# The firmware clears the screen.
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|c)")

KVM = ["-accel", "kvm", "-cpu", "host", "-smp", "2"]
EMULATED = ["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
# Emulated, the time of the machine is counted in the instructions that it executes, 2 ns each, and while it idles time
# jumps to what it waits for. However busy the host is, the machine never sees it: no deadline inside passes because nobody
# ran it, and half a core is half a core. One CPU, because two would take turns and steal time from each other.
COUNTED = ["-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1", "-icount", "shift=1,sleep=off", "-rtc", "clock=vm"]

# No delay for boot messages and firmware, no watchdog, no doubt about the clock; and a panic ends the machine.
KERNEL_WORDS = ["console=ttyS0", "quiet", "panic=-1", "edd=off", "nowatchdog", "no_timer_check", "tsc=reliable",
                "random.trust_cpu=on", "mitigations=off"]


def command(kernel, initramfs, words, cpu, console="stdio"):
    return [
        "qemu-system-x86_64", *cpu, "-m", str(MEMORY_MB), "-nographic", "-no-reboot", "-nodefaults",
        "-serial", console, "-nic", "none", "-kernel", str(kernel), "-initrd", str(initramfs),
        "-append", " ".join([*KERNEL_WORDS, *words]),
    ]


class Machine:
    """A running machine. Its time on the host's clock is bounded, until it is up by less."""

    def __init__(self, kernel, initramfs, words, cpu, seconds, up_seconds=UP_SECONDS):
        self.process = subprocess.Popen(command(kernel, initramfs, words, cpu), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.began = time.monotonic()
        self.end_at = self.began + min(seconds, up_seconds)
        self.seconds = seconds
        self.is_up = self.timed_out = self.ended = False
        self.console = []
        self.rest = b""

    def fileno(self):
        return self.process.stdout.fileno()

    def read(self):
        """The lines that have come; at the end of the console the machine is ended."""
        data = os.read(self.fileno(), 65536)
        *whole, self.rest = (self.rest + data).split(b"\n")
        if not data:
            whole.append(self.rest)
            self.end()
        lines = [ESCAPE.sub("", line.decode(errors="replace")).rstrip("\r") for line in whole]
        self.console += lines
        if not self.is_up and any(UP_LINE in line for line in lines):
            self.is_up = True
            self.end_at = self.began + self.seconds
        return lines

    def end(self):
        self.ended = True
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def follow(machines):
    """(machine, lines) of whichever of the running machines has something to tell; one whose time is over is ended."""
    left = max(0, min(one.end_at for one in machines) - time.monotonic())
    told = [(one, one.read()) for one in select.select(machines, [], [], left)[0]]
    for one in machines:
        if not one.ended and time.monotonic() >= one.end_at:
            one.timed_out = True
            one.end()
            told.append((one, []))
    return told


def kvm_works(kernel, initramfs, cache):
    """Whether a machine comes up with KVM; what was found is kept until this machine boots anew."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK) or os.environ.get("FARMD_VM_KVM") == "0":
        return False
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    mark = cache / "kvm"
    if mark.exists() and mark.read_text().split()[0] == boot:
        return mark.read_text().split()[1] == "yes"
    machine = Machine(kernel, initramfs, ["farmd.run=cases", "farmd.cgroup=none"], KVM, KVM_UP_SECONDS, KVM_UP_SECONDS)
    while not (machine.ended or machine.is_up):
        follow([machine])
    machine.end()
    mark.write_text(f"{boot} {'yes' if machine.is_up else 'no'}\n")
    return machine.is_up


def shell(kernel, initramfs, words, kvm):
    """The console on this terminal until the machine is off. In real time, since somebody looks on."""
    if not sys.stdin.isatty():
        print("vm: a shell needs a terminal", file=sys.stderr)
        return 2
    print("The machine's console; `exit` turns it off (Ctrl-A x ends it by force).", flush=True)
    return subprocess.run(command(kernel, initramfs, words, KVM if kvm else EMULATED, "mon:stdio"), check=False).returncode
