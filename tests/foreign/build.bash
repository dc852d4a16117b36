# Sourced: builds the C++ tests of this folder another way, and runs them.

# compile NAME COMPILER FLAG...: $work/NAME-TEST of each test in $tests; in the background.
compile() {
	local name=$1 compiler=$2 test; shift 2
	# clang has no non-call exceptions.
	[ "$compiler" = clang++ ] || set -- -fnon-call-exceptions -fno-delete-dead-exceptions "$@"
	for test in $tests; do
		$compiler -std=gnu++17 -fstack-clash-protection -Iinclude -Itests "tests/foreign/$test.cc" \
			"$build/lib/libripcord.a" -o "$work/$name-$test" "$@" -pthread -ldl 2>"$work/$name-$test.log" &
	done
}
# passes NAME COMMAND...: a TAP program passes.
passes() {
	local name=$1 code; shift
	"$@" >"$work/tap" 2>"$work/err"
	code=$?
	is "$name: $(grep -ac '^ok' "$work/tap") checks" "$code $(grep -a '^not ok' "$work/tap" | head -3)" "0 "
}
# run NAME [VARIABLE=VALUE]: what was compiled under that name.
run() {
	local name=$1 test; shift
	for test in $tests; do
		passes "$name $* $test" env "$@" "$top/scripts/limit" 100 "$work/$name-$test"
	done
}
