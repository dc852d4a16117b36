# SPDX-License-Identifier: MIT
# A function whose return has been hooked, walked by others: libgcc's unwinder (tests/kill/hooks.c, thrown.cc and throws.cc
# run with it), the drop-in, LLVM's and nongnu's libunwind in its place, and gdb.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "the sanitizers' own runtime is in the way"
needs_plugin

dropin=$(realpath "$build/lib/libripcord-unwind.so")
with() { # NAME FILE PROGRAM
	LD_PRELOAD=$2 "$build/tests/kill/$3" > "$work/out" 2>&1
	is "$3 with $1: exit status" $? 0
	is "$3 with $1: what failed" "$(grep '^not ok' "$work/out")" ""
}
for program in hooks thrown throws; do
	with "the drop-in" "$dropin" $program
done
llvm=$(ls /usr/lib/llvm-*/lib/libunwind.so.1 2>/dev/null | head -1)
nongnu=$(ls /usr/lib/x86_64-linux-gnu/libunwind.so.8 2>/dev/null)
for program in thrown throws; do
	[ -z "$llvm" ] || with "LLVM's" "$llvm" $program
	[ -z "$nongnu" ] || with "nongnu's" "$nongnu" $program
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
