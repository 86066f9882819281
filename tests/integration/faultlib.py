"""Faults of the machine for a farmd of the tests' own: libraries preloaded into it (tests/faults/) make system calls and
allocations fail, or move the clock, from when a test says so until it takes that back."""

import contextlib
import errno
import mmap
import struct

import farmlib

LIBRARIES = farmlib.BUILD / "tests" / "faults"
SLOTS, FAULT = 32, struct.Struct("=IIIiq24s208s")  # struct fault of tests/faults/control.h
ALWAYS = 0xFFFFFFFF
DESCRIPTOR_CALLS = ("open", "socket", "accept4", "pipe2", "epoll_create1", "pidfd_open")


class Faults:
    """The table that the libraries in one farmd look at. Made before that farmd starts."""

    def __init__(self, farm):
        path = farm.directory / "faults"
        path.write_bytes(bytes(SLOTS * FAULT.size))
        with open(path, "r+b") as file:
            self.table = mmap.mmap(file.fileno(), 0)
        names = ["calls", "clock"] if farmlib.SANITIZED else ["calls", "clock", "memory"]
        farm.env["LD_PRELOAD"] = ":".join(str(LIBRARIES / f"{name}.so") for name in names)
        farm.env["FARMD_FAULTS"] = str(path)
        if farmlib.SANITIZED:  # the sanitizer's own library is not the first one then
            farm.env["ASAN_OPTIONS"] = farm.env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"

    def _put(self, slot, *values):
        FAULT.pack_into(self.table, slot * FAULT.size, *values)

    def _begin(self, call, error, path, times, amount):
        slot = next(i for i in range(SLOTS) if not self.table[i * FAULT.size])
        values = [times, 0, error, amount, call.encode(), str(path).encode()]
        self._put(slot, 0, *values)
        self._put(slot, 1, *values)
        return slot

    def _end(self, slot):
        struct.pack_into("=I", self.table, slot * FAULT.size, 0)

    def _hits(self, slot):
        return struct.unpack_from("=I", self.table, slot * FAULT.size + 8)[0]

    @contextlib.contextmanager
    def fail(self, calls, error=errno.EIO, path="", times=ALWAYS, amount=0):
        """While inside, `calls` (a name or several) fail with an errno, those on files where fnmatch takes the path.
        Yields a function that tells how many have."""
        slots = [self._begin(call, error, path, times, amount) for call in ([calls] if isinstance(calls, str) else calls)]
        try:
            yield lambda: sum(self._hits(slot) for slot in slots)
        finally:
            for slot in slots:
                self._end(slot)

    def no_descriptors(self, error=errno.EMFILE):
        """Whatever makes a descriptor fails."""
        return self.fail(DESCRIPTOR_CALLS, error)

    def no_memory(self, at_least):
        """Allocations of so many bytes or more fail."""
        return self.fail("malloc", errno.ENOMEM, amount=at_least)

    def clock_step(self, seconds):
        """The time of day is other by so many seconds."""
        return self.fail("clock", amount=int(seconds * 1e9))
