# SPDX-License-Identifier: MIT
# backtrace_gdb: gdb's backtrace in a guest, a cleanup, an inner guest and its cleanup shows the guest's frames,
# then rip_run, then main. Functions that the compiler has split are there twice.
program=${BUILD:-build}/tests/guest/backtrace
command -v gdb >/dev/null || { echo "1..0 # SKIP there is no gdb here"; exit 77; }
[ -z "$SAN" ] || { echo "1..0 # SKIP the sanitizers' own runtime is in the way"; exit 77; }

out=$(gdb -batch -nx -ex 'set debuginfod enabled off' -ex 'handle SIGSEGV nostop noprint pass' -ex 'break here' -ex run \
	-ex 'echo @1\n' -ex bt -ex continue -ex 'echo @3\n' -ex bt -ex continue -ex 'echo @4\n' -ex bt \
	-ex continue -ex 'echo @5\n' -ex bt -ex continue -ex 'echo @2\n' -ex bt \
	-ex continue -ex 'echo @6\n' -ex bt -ex continue -ex 'echo @7\n' -ex bt "$program" 2>&1)
case $out in
*ptrace*) echo "1..0 # SKIP gdb may not trace here"; exit 77 ;;
esac

number=0
expect() { # PLACE NAME FUNCTIONS: in this order
	number=$((number + 1))
	found=$(echo "$out" | awk -v place="@$1" '/^@/ { on = $0 == place } on && /^#/' |
		sed -E 's/^#[0-9]+ +(0x[0-9a-f]+ in )?([^ ]+) .*/\2/' |
		grep -x -E 'here|look|(inner|outer|segment)_guest|segment_code|host_code|rip_arch_(enter|call|hostcall)|rip_stop_unwind|rip_run|main' | uniq | tr '\n' ' ')
	if [ "$found" = "$3 " ]; then
		echo "ok $number - gdb in $2: $found"
	else
		echo "not ok $number - gdb in $2"
		echo "# found $found"
		echo "$out" | sed 's/^/# /'
	fi
}

expect 1 "a guest" "here look outer_guest rip_arch_enter rip_run main"
expect 3 "an inner guest" "here look inner_guest rip_arch_enter rip_run outer_guest rip_arch_enter rip_run main"
expect 4 "an inner guest's cleanup" \
	"here look inner_guest rip_arch_enter rip_stop_unwind rip_run outer_guest rip_arch_enter rip_run main"
expect 5 "a guest again" "here look outer_guest rip_arch_enter rip_run main"
expect 2 "a cleanup" "here look outer_guest rip_arch_enter rip_stop_unwind rip_run main"
expect 6 "a segment" "here look segment_code rip_arch_call host_code rip_arch_hostcall segment_guest rip_arch_enter rip_run main"
expect 7 "a segment's cleanup" "here look segment_code rip_arch_call host_code rip_arch_hostcall segment_guest rip_arch_enter rip_stop_unwind rip_run main"
echo "1..$number"
