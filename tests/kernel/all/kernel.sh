# SPDX-License-Identifier: MIT
# kernel: boots it, and hands on what its own tests say; then its panics, and its shell.
. tests/tap.bash
kernel=$build/kernel/kernel.elf
needs qemu-system-x86_64
[ -e "$kernel" ] || skip_all "the kernel is not built: there is no plugin for this GCC"

export STEADY=1
run() { # COMMAND LINE...: the exit status; what it prints goes to $work/out
	limit 150 scripts/run-kernel "$kernel" "$@" > "$work/raw" 2> "$work/err"
	local result=$?
	tr -d '\r' < "$work/raw" > "$work/out"
	echo $result
}

# Its tests have the first numbers.
result=$(run test)
grep -E '^(not ok|ok|#)' "$work/out"
own=$(grep -cE '^(not ok|ok) ' "$work/out")
count=$own failed=$(grep -c '^not ok ' "$work/out")
is "the kernel's own tests: it ends as it should" "$result" 33
is "and has told of as many as it has run" "$(grep -E '^1\.\.' "$work/out")" "1..$own"
ok "which are many" test "$own" -ge 320

# Faults of the kernel's own end it, with names through all that was in progress.
functions() { sed -n 's/^  [0-9a-f]* \([a-z_]*\)+0x.*/\1/p' "$work/out" | tr '\n' ' '; }
panics() { # NAME MESSAGE FUNCTIONS
	is "panic, $1: it ends" "$(run panic "$1")" 37
	is "panic, $1: and says why" "$(sed -n 's/^panic: //p' "$work/out")" "$2"
	is "panic, $1: with a backtrace" "$(functions)" "$3 "
}
panics section 'page fault in a critical section' \
	'panic interrupt fault_in_section tests_panic init'
panics interrupt 'page fault in an interrupt handler' \
	'panic interrupt task_wake task_tick interrupt fault_in_interrupt tests_panic init'
panics unwinding "page fault outside of a task's own code" \
	'panic interrupt fault_in_hook rip_core_run task_main'
panics twice 'spinlock test is held already' 'panic spin_lock lock_twice tests_panic init'

# The shell: a command is typed when the prompt is there.
type_to_shell() {
	local line prompts=0 i
	while read -r line; do
		prompts=$((prompts + 1))
		for i in $(seq 600); do
			[ "$(tr -d '\r' < "$work/raw" | grep -c '^> ')" -ge $prompts ] && break
			sleep 0.1
		done
		printf '%s\r' "$line"
	done
}
shell() { # what is typed comes from standard input
	mkfifo "$work/keys"
	: > "$work/raw"
	STEADY='' limit 100 scripts/run-kernel "$kernel" < "$work/keys" > "$work/raw" 2> "$work/err" &
	type_to_shell > "$work/keys"
	wait $!
	result=$?
	tr -d '\r' < "$work/raw" > "$work/out"
}
shell << 'END'
ps
bt 3
crash divide
crash spin
locks
kill 7
locks
kill 99
keep mend
keep hang
keep restart
memory
exit
END
is "the shell: exit" "$result" 33
section() { sed -n "/^> $1/,/^> /p" "$work/out"; } # what a command printed
ok "ps shows the tasks" grep -qE '^ +[0-9]+ listen +waiting' "$work/out"
ok "bt shows where one stands" grep -q 'channel_receive+0x' <<< "$(section 'bt 3')"
ok "crash tells how it ended" grep -q '(divide): fault, divide error' "$work/out"
ok "with all its cleanups" grep -q 'cleanups: 8 run, 0 failed; frames lost: 0' <<< "$(section 'crash divide')"
ok "a task that spins is there" grep -qE '^crash +7 ' "$work/out"
ok "kill ends it" grep -q '(spin): killed' "$work/out"
ok "kill of none" grep -q 'no such task' <<< "$(section 'kill 99')"
ok "keep mend: a keeper sees where it stands" grep -q 'stands at a fault: page fault, address 123450' <<< "$(section 'keep mend')"
ok "and it goes on" grep -q 'it has loaded 4711, and no other register has changed' <<< "$(section 'keep mend')"
ok "keep hang: the next keeper mends" grep -q '^keeper 2: puts a good address' <<< "$(section 'keep hang')"
ok "keep restart: it is started again" grep -q '^supervisor: started 3 times; at last it returned' \
	<<< "$(section 'keep restart')"
ok "the kernel agrees with itself" grep -q 'consistent: yes' "$work/out"
finish
