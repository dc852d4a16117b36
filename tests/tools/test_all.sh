# scripts/test-all: a tier that fails, cannot be built or is unknown hides none of the others; the last lines tell all.
# And what a tier leaves out of the tests it says, with a reason.
. tests/tap.bash

# A build of tiers in which each thing happens that can happen to one.
cat > "$work/Makefile" <<END
good = printf '\#!/bin/sh\necho ok 1\necho ok 2\necho 1..2\n'
bad  = printf '\#!/bin/sh\necho ok 1\necho not ok 2\necho 1..2\n'
none = printf '\#!/bin/sh\necho "1..0 \# SKIP it is not here"\n'
PROVE = prove --exec sh
END
cat >> "$work/Makefile" <<'END'
.PHONY: test-builds test-passes test-fails test-two test-unbuilt test-fuzzes test-burns test-waits
passes fails two:
	@mkdir -p tests
	@$(good) > tests/good; $(bad) > tests/bad; $(none) > tests/none
test-passes: passes
	@$(PROVE) tests/good tests/none
test-fails: fails
	@$(PROVE) tests/bad tests/good
test-two: two
	@$(PROVE) tests/good
	@$(PROVE) tests/good
test-unbuilt: tests/object
tests/object:
	@echo "no compiler" >&2; false
test-fuzzes:
	@echo "stat::number_of_executed_units: 1000"; echo "stat::number_of_executed_units: 234"
test-burns:
	@perl -e 'while ((times)[0] < 2) { }'
test-builds:
	@echo "builds in $(or $(BUILD),its own)"
test-waits:
	@touch tests/waiting; sleep 600
END
cd "$work" || exit 1
export MAKE=make LOGS=logs BUILD=build/of-the-caller
tiers() { # TIER...
	"$top/scripts/test-all" "$@"
}
row() { # TIER: its checks, skipped files and result
	awk -v tier="$1" '$1 == tier { print $2, $3, $NF }' <<< "$table"
}

status=$(status tiers fails passes unbuilt two fuzzes unknown burns)
table=$(tail -n 30 "$work/out")
is "one failed: the exit status" "$status" 1
is "a tier whose check fails" "$(row fails)" "4 0 FAILED"
ok "the file that failed is told" grep -q 'failed: .*tests/bad$' <<< "$table"
is "the next tier runs all the same" "$(row passes)" "2 1 passed"
is "a tier that cannot be built" "$(row unbuilt)" "0 0 FAILED"
ok "what could not be made is told" grep -q 'failed: make .*tests/object$' <<< "$table"
ok "why is in its log" grep -q 'no compiler' "$work/logs/unbuilt.log"
is "a tier that runs prove twice" "$(row two)" "4 0 passed"
is "inputs of fuzzers count" "$(row fuzzes)" "1234 0 passed"
is "a tier that there is not" "$(row unknown)" "0 0 FAILED"
is "the last tier" "$(row burns)" "0 0 passed"
ok "processor time is counted" test "$(awk '$1 == "burns" { print $4 }' <<< "$table")" -ge 2
ok "the table comes last: its heading is among the last 30 lines" grep -q '^tier .* result$' <<< "$table"

tiers builds >"$work/out"
ok "a sanitizer's tier builds where it does by itself" grep -qx 'builds in its own' "$work/out"
is "all passed: the exit status" "$(status tiers passes two)" 0

# Interrupted as by a terminal.
rm -f tests/waiting
perl -e 'setpgrp; $SIG{INT} = "DEFAULT"; exec @ARGV' "$top/scripts/test-all" passes waits two > "$work/out" 2>&1 &
runner=$!
until [ -e tests/waiting ]; do sleep 0.1; done
kill -INT -- -$runner
wait $runner
is "interrupted: the exit status" $? 130
table=$(tail -n 30 "$work/out")
is "what had run is told" "$(row passes)" "2 1 passed"
is "what was running is told" "$(grep -c '^waits  *interrupted$' <<< "$table")" 1
is "what had not begun is not" "$(row two)" ''

# What is left out.
printf '%s\n' a/one a/two b/three.sh c/four > names
cat > left_out <<'END'
# tier names: reason
slow a/% d/%: it takes: long
slow %.sh: scripts
fast c/four: never
END
is "what a tier leaves out, it tells why" "$(awk -v tier=slow -f "$top/scripts/left-out.awk" left_out names)" \
	'left out: a/one: it takes: long
left out: a/two: it takes: long
left out: b/three.sh: scripts'

cd "$top" || exit 1
tells() { # TIER MAKE'S ARGUMENTS...: what make would do tells what the tier leaves out
	env -u SAN -u CC -u CXX make -n BUILD=build/none "${@:2}" > "$work/commands" 2>&1
	ok "$1: it tells what it leaves out" grep -q "tier=$1 -f scripts/left-out.awk" "$work/commands"
}
tells address SAN=address,undefined test-only
tells thread SAN=thread test-only
tells clang CC=clang CXX=clang++ test-only
tells valgrind test-valgrind
finish
