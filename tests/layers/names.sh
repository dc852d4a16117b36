# SPDX-License-Identifier: MIT
# names: the library calls none of the functions that `ripcord cc` puts in front of libc's: linked into a guest's file, it
# would call those (port/libc.h). guest/plain_exits.c is in the shared library alone.
. tests/tap.bash

symbols() { # WHICH FILES...: those that are defined, or not
	local which=$1; shift
	readelf -sW "$@" | awk -v which="$which" '$4 != "SECTION" && ($7 == "UND") == (which == "undefined") { print $8 }' | sort -u
}
objects=$(ls "$build"/obj/*/*.o "$build"/obj/port/linux/*.o | grep -vE '/(core|eh|symbolize)/|/libc\.S\.o$|/guest/plain_exits\.c\.o$')
symbols defined "$build/lib/ripcord/libripcord-guest.a" | grep -v '^rip_' >"$work/stubs"
symbols undefined $objects >"$work/called"
ok "stubs are found" grep -qx malloc "$work/stubs"
ok "calls are found" grep -qx rip_libc_malloc "$work/called"
# An unwinder's function is the guest's for all that is linked with it.
is "none is called" "$(comm -12 "$work/stubs" "$work/called" | grep -v '^_Unwind_Resume$')" ""
finish
