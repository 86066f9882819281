"""One boot of the test machine under QEMU: its command line, its console, its end."""

import os
import pathlib
import re
import select
import subprocess
import sys
import time

MEMORY_MB = 3072
CPUS = 2
UP_LINE = "farmd-vm: up"
UP_SECONDS = 60
# A kernel that is really accelerated is up in a second or two; some machines have a /dev/kvm that only seems to work.
KVM_UP_SECONDS = 15
# The firmware clears the screen.
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|c)")


def command(kernel, initramfs, words, kvm):
    accelerator = ["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", "tcg,thread=multi", "-cpu", "max"]
    return [
        "qemu-system-x86_64", *accelerator, "-m", str(MEMORY_MB), "-smp", str(CPUS), "-nographic", "-no-reboot",
        "-nodefaults", "-serial", "stdio", "-nic", "none", "-kernel", str(kernel), "-initrd", str(initramfs),
        # No delay for a boot message, no watchdog that an emulated CPU wakes, and a panic ends the machine.
        "-append", " ".join(["console=ttyS0", "quiet", "panic=-1", "nowatchdog", "mitigations=off", *words]),
    ]


def may_have_kvm():
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and os.environ.get("FARMD_VM_KVM") != "0"


class Machine:
    """A running machine; lines() yields its console until it ends or its time is over."""

    def __init__(self, kernel, initramfs, words, kvm=False):
        self.process = subprocess.Popen(
            command(kernel, initramfs, words, kvm), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.up_seconds = UP_SECONDS
        self.console = []
        self.timed_out = False

    def lines(self, seconds):
        """Every line of the console. timed_out tells afterwards whether the machine had to be ended."""
        end, rest = time.monotonic() + seconds, b""
        up_end, is_up = time.monotonic() + min(seconds, self.up_seconds), False
        out = self.process.stdout.fileno()
        while True:
            left = (end if is_up else min(end, up_end)) - time.monotonic()
            if left <= 0:
                self.timed_out = True
                break
            if not select.select([out], [], [], left)[0]:
                continue
            data = os.read(out, 65536)
            if not data:
                break
            rest += data
            *whole, rest = rest.split(b"\n")
            for line in whole:
                text = ESCAPE.sub("", line.decode(errors="replace")).rstrip("\r")
                is_up = is_up or UP_LINE in text
                self.console.append(text)
                yield text
        if rest:
            self.console.append(rest.decode(errors="replace"))
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def kvm_works(kernel, initramfs, cache):
    """Whether a machine comes up with KVM; what was found is kept until this machine boots anew."""
    if not may_have_kvm():
        return False
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    mark = cache / "kvm"
    if mark.exists() and mark.read_text().split()[0] == boot:
        return mark.read_text().split()[1] == "yes"
    machine = Machine(kernel, initramfs, ["farmd.run=cases", "farmd.cgroup=none"], kvm=True)
    machine.up_seconds = KVM_UP_SECONDS
    works = any(UP_LINE in line for line in machine.lines(KVM_UP_SECONDS))
    machine.end()
    mark.write_text(f"{boot} {'yes' if works else 'no'}\n")
    return works


def shell(kernel, initramfs, words, kvm):
    """The console on this terminal until the machine is off."""
    if not sys.stdin.isatty():
        print("vm: a shell needs a terminal", file=sys.stderr)
        return 2
    print("The machine's console; `exit` turns it off (Ctrl-A x ends it by force).", flush=True)
    arguments = command(kernel, initramfs, words, kvm)
    at = arguments.index("stdio")
    arguments[at] = "mon:stdio"
    return subprocess.run(arguments, check=False).returncode

