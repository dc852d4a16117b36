# SPDX-License-Identifier: MIT
"""Ripcord's guests in gdb, of a process or of a core file.

    info guests [all]   lists the guests: state, thread, cause, where they stand
    guest N             stands where guest N does: bt, up, info locals and so on speak of it
    guest 0             back to the thread

A guest that yielded or was stopped is shown in front of the selected thread's innermost frame; nothing is written
to the process. Its innermost frame is number 1; frame 0 remains the thread's. A guest that a thread stands in is
shown by selecting that thread and the guest's innermost frame on it.

gdb loads this by itself with libripcord.so, if it may: add-auto-load-safe-path DIRECTORY. For programs that hold
the library themselves: source FILE.
"""
import struct

import gdb
from gdb.unwinder import Unwinder, register_unwinder

# By DWARF number, as struct rip_context has them.
REGISTERS = ("rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip").split()
# What a call preserves; of a guest that yielded, nothing else is known.
PRESERVED = "rbx rbp rsp r12 r13 r14 r15 rip".split()

# struct rip_debug of src/guest/debug.c, version 1.
HEAD = struct.Struct("<II5Q")
FIELDS = ("state_count cause_count pools lone lone_next lone_block pool_next pool_chunks pool_chunk_end "
          "pool_stride chunk_size chunk_map chunk_slots chunk_made block_size page_size "
          "state outer face cause reg exact signal low top block").split()
VERSION = 1

# More than these are listed by `info guests all` only.
LISTED = 256


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address):
    return struct.unpack("<Q", read(address, 8))[0]


def half(address):
    return struct.unpack("<I", read(address, 4))[0]


def register(name):
    """Of the selected thread, whatever frame is."""
    return int(gdb.newest_frame().read_register(name).cast(ULONG()))


class Layout:
    """Where things are, as the library itself says."""

    def __init__(self):
        try:
            at = int(gdb.parse_and_eval("(unsigned long)&rip_debug"))
        except gdb.error:
            raise gdb.GdbError("This program has no Ripcord (yet).")
        version, size, self.registry, current, self.backstop, states, causes = HEAD.unpack(read(at, HEAD.size))
        if version != VERSION or size < HEAD.size + 4 * len(FIELDS):
            raise gdb.GdbError("This library is of another version than this script (%d, not %d)." %
                               (version, VERSION))
        values = struct.unpack("<%dI" % len(FIELDS), read(at + HEAD.size, 4 * len(FIELDS)))
        self.__dict__.update(zip(FIELDS, values))
        self.current = struct.unpack("<q", read(current, 8))[0]
        self.states = [self.name(states, i) for i in range(self.state_count)]
        self.causes = [self.name(causes, i) for i in range(self.cause_count)]

    @staticmethod
    def name(table, number):
        text = word(table + 8 * number)
        return read(text, 40).split(b"\0")[0].decode() if text else "?"

    def blocks(self):
        """The control blocks of all stacks: of those that are out and of those that are idle."""
        pool = word(self.registry + self.pools)
        while pool:
            yield from self.blocks_of_pool(pool)
            pool = word(pool + self.pool_next)
        lone = word(self.registry + self.lone)
        while lone:
            yield word(lone + self.lone_block)
            lone = word(lone + self.lone_next)

    def blocks_of_pool(self, pool):
        stride, chunks = word(pool + self.pool_stride), word(pool + self.pool_chunks)
        for i in range(half(pool + self.pool_chunk_end)):
            chunk = chunks + i * self.chunk_size
            start = word(chunk + self.chunk_map)
            blocks = start + half(chunk + self.chunk_slots) * stride + self.page_size
            if start:
                yield from range(blocks, blocks + half(chunk + self.chunk_made) * self.block_size, self.block_size)


class Guest:
    """One guest as it is now."""

    def __init__(self, layout, address, data):
        def pick(offset, form):
            return struct.unpack_from(form, data, offset)[0]
        self.address = address
        self.face = pick(layout.face, "<Q")
        self.low, self.top = pick(layout.low, "<Q"), pick(layout.top, "<Q")
        self.state = self.named(layout.states, pick(layout.state, "<I"))
        self.cause = self.named(layout.causes, pick(layout.cause, "<I"))
        self.exact = bool(pick(layout.exact, "<B"))
        self.signal = pick(layout.signal, "<i")
        self.registers = dict(zip(REGISTERS, struct.unpack_from("<%dQ" % len(REGISTERS), data, layout.reg)))
        # A stack that nobody has keeps its last guest's block, or has none yet.
        self.alive = self.face != 0 and pick(layout.block, "<Q") == address
        self.thread = None

    @staticmethod
    def named(names, number):
        return names[number] if number < len(names) else "?"

    def is_suspended(self):
        return self.state in ("yielded", "stopped")

    def has(self, address):
        return self.low <= address < self.top

    def why(self):
        if self.state in ("stopped", "unwinding", "ended"):
            return self.cause
        return ""


class Guests:
    """All of them. A number once given stays with the place where the guest's block lies."""
    numbers = {}

    def __init__(self):
        self.layout = Layout()
        self.all = {}
        for address in self.layout.blocks():
            try:
                guest = Guest(self.layout, address, read(address, self.layout.block_size))
            except gdb.MemoryError:
                continue
            if guest.alive:
                self.all[address] = guest
                self.numbers.setdefault(address, len(self.numbers) + 1)
        self.find_threads()

    def find_threads(self):
        """A thread's innermost guest is in its rip_current; that one's outer ones follow."""
        before = gdb.selected_thread()
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            try:
                at = word((register("fs_base") + self.layout.current) & (2**64 - 1))
            except gdb.error:
                continue
            while at in self.all and not self.all[at].thread:
                self.all[at].thread = thread
                at = word(at + self.layout.outer)
        if before:
            before.switch()

    def number(self, guest):
        return self.numbers[guest.address]

    def sorted(self):
        return sorted(self.all.values(), key=self.number)

    def find(self, number):
        for guest in self.all.values():
            if self.number(guest) == number:
                return guest
        raise gdb.GdbError("There is no guest %d; see info guests." % number)


# --- Standing where a guest does -----------------------------------------------------------------


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class GuestUnwinder(Unwinder):
    """Makes the selected guest's innermost frame the caller of the thread's innermost one, and its backstop's frame
    the last: what is beyond belongs to whoever ran it last."""

    def __init__(self):
        super().__init__("ripcord-guest")
        self.guest = self.backstop = self.thread = None

    def select(self, guest, backstop):
        self.guest, self.backstop, self.thread = guest, backstop, gdb.selected_thread()
        gdb.invalidate_cached_frames()

    def clear(self):
        if self.guest:
            self.guest = None
            gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if not self.guest or gdb.selected_thread() is None or gdb.selected_thread().ptid != self.thread.ptid:
            return None
        sp, pc = (int(pending.read_register(name).cast(ULONG())) for name in ("rsp", "rip"))
        if pending.level() == 0:
            return self.enter(pending, pc)
        if pc == self.backstop and self.guest.has(sp):
            return self.end(pending, sp, pc)
        return None

    def enter(self, pending, pc):
        # gdb takes callers to lie above: so this frame is said to lie below the guest's.
        info = pending.create_unwind_info(FrameId(value(self.guest.registers["rsp"] - 256), value(pc)))
        for name in REGISTERS if self.guest.exact else PRESERVED:
            info.add_saved_register(name, value(self.guest.registers[name] + self.correction(name)))
        return info

    def correction(self, name):
        """gdb looks a caller up by the instruction before its pc; a fault's pc is the instruction itself."""
        return 1 if name == "rip" and self.guest.exact else 0

    @staticmethod
    def end(pending, sp, pc):
        info = pending.create_unwind_info(FrameId(value(sp), value(pc)))
        info.add_saved_register("rip", value(0))
        info.add_saved_register("rsp", value(sp + 16))
        return info


def ULONG():
    return gdb.lookup_type("unsigned long")


def value(number):
    return gdb.Value(number).cast(ULONG())


class GuestFilter:
    """A backtrace begins with the guest's frames, and ends with its backstop's."""

    def __init__(self):
        self.name, self.priority, self.enabled = "ripcord-guest", 1, True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        for frame in frames:
            if not UNWINDER.guest or (frame.inferior_frame().level() != 0 and frame.inferior_frame().pc() != 0):
                yield frame


UNWINDER = GuestUnwinder()


def where(guests, guest):
    """The innermost function on the guest's stack that is not the library's."""
    if guest.is_suspended():
        before, backstop = UNWINDER.guest, UNWINDER.backstop
        UNWINDER.select(guest, guests.layout.backstop)
        text = name_of(gdb.newest_frame().older(), guest)
        UNWINDER.select(before, backstop)
        return text
    if guest.thread:
        before = gdb.selected_thread()
        guest.thread.switch()
        text = name_of(innermost(guest), guest)
        before.switch()
        return text
    return ""


def innermost(guest):
    """Of a guest that the selected thread stands in."""
    frame = gdb.newest_frame()
    while frame and not guest.has(int(frame.read_register("rsp").cast(ULONG()))):
        frame = frame.older()
    return frame


def outlined(frame):
    """The function that this one was inlined into: its name is the library's or not."""
    while frame.type() == gdb.INLINE_FRAME and frame.older():
        frame = frame.older()
    return frame


def name_of(frame, guest):
    while frame and guest.has(int(frame.read_register("rsp").cast(ULONG()))):
        name = frame.name()
        if not (outlined(frame).name() or "").startswith("rip_"):
            line = frame.find_sal()
            place = " at %s:%d" % (line.symtab.filename, line.line) if line and line.symtab else ""
            return "%s%s" % (name or hex(frame.pc()), place)
        frame = frame.older()
    return ""


def row_of(guests, guest):
    mark = "*" if UNWINDER.guest and UNWINDER.guest.address == guest.address else ""
    thread = str(guest.thread.num) if guest.thread else ""
    text = where(guests, guest)
    if guest.face != guest.address and guest.face in guests.all:
        text += " (hostcall of %d)" % guests.number(guests.all[guest.face])
    return mark, str(guests.number(guest)), guest.state, thread, guest.why(), text


class InfoGuests(gdb.Command):
    """List the guests of Ripcord: number, state, thread, cause of the stop, function that they stand in.
info guests [all]: without "all", the first 256 of them."""

    def __init__(self):
        super().__init__("info guests", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        if not gdb.selected_thread():
            raise gdb.GdbError("The program is not being run.")
        guests = Guests()
        found = guests.sorted()
        if not found:
            print("No guests.")
            return
        shown = found if argument.strip() == "all" else found[:LISTED]
        rows = [("", "Id", "State", "Thread", "Cause", "Where")] + [row_of(guests, guest) for guest in shown]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        for row in rows:
            print(" ".join(text.ljust(width) for text, width in zip(row, widths)) + " " + row[5])
        if len(shown) < len(found):
            print("... and %d more (info guests all)" % (len(found) - len(shown)))


class SelectGuest(gdb.Command):
    """Stand where a guest of Ripcord does.
guest N: the guest that info guests calls N. guest 0: back to the thread. Without an argument: says which."""

    def __init__(self):
        super().__init__("guest", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if not argument:
            print("[Standing in %s]" % ("guest %d" % Guests.numbers[UNWINDER.guest.address] if UNWINDER.guest
                                        else "no guest"))
            return
        if not argument.isdigit():
            raise gdb.GdbError("guest N, or guest 0 for the thread.")
        if not gdb.selected_thread():
            raise gdb.GdbError("The program is not being run.")
        if int(argument) == 0:
            UNWINDER.clear()
        else:
            self.enter(int(argument))
        gdb.execute("frame")

    @staticmethod
    def enter(number):
        guests = Guests()
        guest = guests.find(number)
        if guest.is_suspended():
            UNWINDER.select(guest, guests.layout.backstop)
            gdb.newest_frame().older().select()
        elif guest.thread:
            UNWINDER.clear()
            guest.thread.switch()
            frame = innermost(guest)
            (frame or gdb.newest_frame()).select()
        else:
            raise gdb.GdbError("Guest %d is %s: it stands nowhere." % (number, guest.state))
        print("[Guest %d: %s]" % (number, " ".join(filter(None, (guest.state, guest.why())))))


def forget(event):
    """The program goes on, or is gone: a guest does not stay where it stood."""
    UNWINDER.clear()


register_unwinder(None, UNWINDER, replace=True)
GuestFilter()
InfoGuests()
SelectGuest()
gdb.events.cont.connect(forget)
gdb.events.exited.connect(forget)
