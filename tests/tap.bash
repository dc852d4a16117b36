# Sourced by the shell tests: TAP, and a directory of the test's own that goes away with it.
: "${BUILD:=build}"
unset MAKEFLAGS MFLAGS MAKELEVEL # a make that a test runs is its own
count=0 failed=0
build=$(cd "$BUILD" && pwd) ripcord=$build/bin/ripcord top=$(pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/ripcord test.XXXXXX") || exit 1
# The command gives little memory back: it ends in exec or _exit.
[ -z "$SAN" ] || export ASAN_OPTIONS=detect_leaks=0
trap 'rm -rf "$work"' EXIT

# ok NAME COMMAND...: the command succeeds.
ok() {
	local name=$1; shift
	count=$((count + 1))
	if "$@" >"$work/ok.log" 2>&1; then echo "ok $count - $name"; return; fi
	failed=$((failed + 1))
	echo "not ok $count - $name"
	sed 's/^/# /' "$work/ok.log" | head -20
}
# is NAME GOT EXPECTED
is() {
	count=$((count + 1))
	if [ "$2" = "$3" ]; then echo "ok $count - $1"; return; fi
	failed=$((failed + 1))
	echo "not ok $count - $1"
	printf '      got %s\n expected %s\n' "$2" "$3" | sed 's/^/# /'
}
# status COMMAND...: prints its exit status; its output goes to $work/out and $work/err.
status() {
	"$@" >"$work/out" 2>"$work/err" </dev/null
	echo $?
}
# skip_all WHY: says that nothing can be tested here, and ends the test.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 77
}
needs_plugin() {
	[ -e "$build/lib/ripcord/ripcord_plugin.so" ] || skip_all 'needs the plugin, which was left out'
}
# needs COMMAND: which the machine may not have.
needs() {
	command -v "$1" >"$work/ok.log" 2>&1 || skip_all "there is no $1 here"
}
# limit SECONDS COMMAND...: a time limit that grows with the load of the machine. Status 124: it was reached.
limit() {
	"$top/scripts/limit" "$@"
}
# build_make ARGUMENT...: make in this tree, with the variables that it was built with (another flag would build it anew).
build_make() {
	local variables=("BUILD=$BUILD") name
	for name in SAN CC CXX CFLAGS LTO; do
		[ -z "${!name+set}" ] || variables+=("$name=${!name}")
	done
	make --no-print-directory -C "$top" "${variables[@]}" "$@"
}
finish() {
	echo "1..$count"
	[ "$failed" = 0 ]
	exit
}
