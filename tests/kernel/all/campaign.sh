# SPDX-License-Identifier: MIT
# campaign: the judge of the fault campaign finds what it is to find; a short campaign; and it is reproducible.
. tests/tap.bash
kernel=$build/kernel/kernel.elf
needs qemu-system-x86_64
[ -e "$kernel" ] || skip_all "the kernel is not built: there is no plugin for this GCC"

run() { # COMMAND LINE...: the exit status; what it prints goes to $work/out
	STEADY=1 limit 60 scripts/run-kernel "$kernel" campaign "$@" < /dev/null 2> "$work/err" | tr -d '\r' > "$work/out"
	echo "${PIPESTATUS[0]}"
}

is "the judge's tests: the kernel ends as it should" "$(run judge)" 33
is "the judge finds each damage, and none when it is undone or mended" "$(grep -cE '^ok ' "$work/out")" 15
grep -E '^(not ok|#)' "$work/out" | sed 's/^/# /'

# Seed and number say which fault it is, whatever was before.
run 5 4 6 > /dev/null
grep -E '^(begin|at|end) ' "$work/out" > "$work/six"
first=$(grep -A 1 '^begin 7 ' "$work/six")
run 5 4 6 > /dev/null
is "a campaign can be had again" "$(grep -E '^(begin|at|end) ' "$work/out")" "$(cat "$work/six")"
run 5 7 1 > /dev/null
is "so can one run of it" "$(grep -A 1 '^begin 7 ' "$work/out" | sed 's/:.*//')" "$(sed 's/:.*//' <<< "$first")"

scripts/campaign "$kernel" 1 40 "$work/log" > "$work/table" 2>&1
sed 's/^/# /' "$work/table"
number() { sed -n "s/^.*$1: \([0-9]*\).*/\1/p" "$work/table"; }
is "a short campaign: each run was told of" "$(number runs)" 40
ok "at least a quarter of the faults manifest" test "$(number manifested)" -ge 10
ok "at least three quarters of those are recovered from" \
	test $((100 * $(number recovered))) -ge $((75 * $(number manifested)))
finish
