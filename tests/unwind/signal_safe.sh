# The look-up paths of the unwinder call nothing that allocates, locks or sets errno: only the registry's writers may
# lock. Read off the objects, before the link joins them.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "sanitizers add calls"

# What other code outside of the library they may call. getauxval, _dl_find_object: no locks, no errno of interest.
allowed='^(_dl_find_object|getauxval|bcmp|memcmp|memcpy|memset|strlen|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|rip_.*|__tls_get_addr|_Unwind_(Get|Set).*)$'
foreign() { # OBJECTS...: libc's functions are called by names of ours (port/libc.h)
	nm --undefined-only "$@" | awk 'NF == 2 { print $2 }' | sed 's/^rip_libc_//' | sort -u | grep -vE "$allowed"
}
objects=$(ls "$build"/obj/unwind/*.o "$build"/obj/cfi/*.o "$build"/obj/lsda/*.o "$build"/obj/base/*.o \
	"$build"/obj/arch/x86_64/*.o "$build"/obj/port/linux/{signal_registers,tables}.c.o | grep -v registered)
is "look-up, tables, rows, steps" "$(foreign $objects)" ""
is "registered tables" "$(foreign "$build/obj/unwind/registered.c.o")" ""
is "modules: names are for reports" "$(foreign "$build/obj/port/linux/modules.c.o")" "dladdr"
is "memory: system calls without errno" "$(foreign "$build/obj/port/linux/memory.c.o")" ""

# The functions that lock, by what the code of the drop-in calls.
callers() { # SYMBOL: the functions of the drop-in that call it
	objdump -d --no-show-raw-insn "$build/lib/libripcord-unwind.so" |
		awk -v what="<$1[@>]" '/^[0-9a-f]+ <.*>:$/ { f = $2 } $0 ~ what && /call|jmp/ { print f }' | tr -d '<>:' | sed 's/\..*//' | sort -u
}
lockers="$(callers rip_libc_pthread_mutex_lock; callers rip_lock_take)"
is "who takes the registry's lock" "$(grep -vE '^(rip_registry_(add|remove|before_fork)|(__register|__deregister)_frame.*|add|rip_lock_take|rip_libc_pthread_mutex_lock)$' <<<"$lockers")" ""
finish
