# SPDX-License-Identifier: MIT
# A function whose return has been hooked, walked by others: libgcc's unwinder (tests/kill/hooks.c and thrown.cc run with it),
# the drop-in in its place, and gdb.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "the sanitizers' own runtime is in the way"

dropin=$(realpath "$build/lib/libripcord-unwind.so")
for program in hooks thrown; do
	LD_PRELOAD=$dropin "$build/tests/kill/$program" > "$work/out" 2>&1
	is "$program with the drop-in: exit status" $? 0
	is "$program with the drop-in: what failed" "$(grep '^not ok' "$work/out")" ""
done
ok "it was in use" bash -c "LD_DEBUG=bindings LD_PRELOAD=$dropin '$build/tests/kill/hooks' 2>&1 |
	grep -q 'to .*libripcord-unwind.so.*_Unwind_Backtrace'"

# The foreign function's frame, its hook, and whoever called it.
command -v gdb > /dev/null || { finish; exit; }
gdb -batch -nx -ex 'set debuginfod enabled off' -ex 'handle SIGSEGV SIGURG SIGSYS nostop noprint pass' \
	-ex 'break walk_from_here if place == 1' -ex run -ex bt -ex 'frame function calls' -ex 'info frame' \
	"$build/tests/kill/hooks" > "$work/gdb" 2>&1
if grep -q ptrace "$work/gdb"; then
	finish
	exit
fi
found=$(sed -nE 's/^#[0-9]+ +(0x[0-9a-f]+ in )?([^ ]+) .*/\2/p' "$work/gdb" |
	grep -x -E 'walk_from_here|until_hooked|rip_arch_hooks|calls|rip_arch_enter|rip_run|main' | uniq | tr '\n' ' ')
is "gdb's bt" "$found" "walk_from_here until_hooked rip_arch_hooks calls rip_arch_enter rip_run main calls "
finish
