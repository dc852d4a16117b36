# Sourced behind tap.bash by the tests of the drop-in: runs programs with the machine's libgcc_s and with each way of
# the drop-in, and compares. Sanitizers bring an unwinder of their own, and want to be loaded first.
[ -z "$SAN" ] || skip_all "sanitizers bring an unwinder of their own"
ulimit -c 0
unwind=$build/lib/libripcord-unwind.so
as_libgcc=$build/lib/ripcord
in_use=$build/tests/eh/in_use.so
programs=$top/tests/eh/programs
# What links the drop-in before libgcc_s.
link_dropin=(-Wl,--no-as-needed "-L$build/lib" -lripcord-unwind -lgcc_s -Wl,--as-needed "-Wl,-rpath,$build/lib")
export IN_USE=$work/in_use
[ -e "$in_use" ] || { mkdir -p "${in_use%/*}"; gcc -shared -fPIC -O1 -D_GNU_SOURCE tests/eh/in_use_lib.c -o "$in_use"; } || exit 1

# normalise: a filter over what programs write; tests may replace it.
normalise() { cat; }
# run WAY COMMAND...: leaves $work/WAY (output, errors and status) and $work/in_use.
run() {
	local way=$1 status; shift
	local -a set
	case $way in
	preload) set=("LD_PRELOAD=$in_use:$unwind") ;;
	libgcc) set=("LD_PRELOAD=$in_use" "LD_LIBRARY_PATH=$as_libgcc${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}") ;;
	*) set=("LD_PRELOAD=$in_use") ;;
	esac
	rm -f "$IN_USE"
	{ limit "${RUN_LIMIT:-100}" env "${set[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null; status=$?; } 2>/dev/null
	{ normalise <"$work/out"; echo "--- errors"; normalise <"$work/err"; echo "--- status $status"; } >"$work/$way"
}
# The unwinder in use, by the lines of $work/in_use: each process's, and only that.
used_by() { # WAY
	local want
	case $1 in
	plain) want='\(start\|end\) \(/usr\)\?/lib.*/libgcc_s\.so\.1' ;;
	libgcc) want="\(start\|end\) $as_libgcc/libgcc_s\.so\.1" ;;
	*) want="start $unwind"; sed -i '/^end /d' "$IN_USE" 2>"$work/none" ;;
	esac
	[ -s "$IN_USE" ] && ! grep -vx "$want" "$IN_USE"
}
# agrees WAY COMMAND...: as without the drop-in, and with it in use.
agrees() {
	local way=$1; shift
	run "$way" "$@"
	diff "$work/plain" "$work/$way" && used_by "$way"
}
# same NAME COMMAND...: the drop-in makes no difference. A program that was linked with it as well, as
# COMMAND.linked, is tried so too. The output is that of the last way.
same() {
	local name=$1 way; shift
	run plain "$@"
	ok "$name: the machine's own" used_by_plain
	for way in ${WAYS:-preload libgcc}; do ok "$name: $way" agrees "$way" "$@"; done
	if [ -x "$1.linked" ]; then
		local linked=$1.linked; shift
		ok "$name: linked" agrees linked "$linked" "$@"
	fi
}
used_by_plain() { used_by plain; }
# says NAME PATTERN: what the program wrote without the drop-in, so that two empty outputs do not agree.
says() { ok "$1" grep -q -e "$2" "$work/plain"; }
