# Sourced by the C++ tests: builds the programs in tests/eh/programs/ and compares their runs.

# build OUTPUT COMPILER FLAG...: as it is, and OUTPUT.linked with the drop-in before libgcc_s.
build() {
	local out=$1 cxx=$2; shift 2
	$cxx "$@" $cxx_libraries -o "$out" && $cxx "$@" "${link_dropin[@]}" $cxx_libraries -o "$out.linked"
}
# language COMPILER FLAG...: the whole of the program `language`.
language() {
	local cxx=$1 c=gcc name="$*" part
	[ "$cxx" = clang++ ] && c=clang
	shift
	local objects=()
	for part in language throws shapes c_frames; do
		$cxx -std=c++17 $cxx_flags "$@" -c "$programs/$part.cc" -o "$work/$part.o" &
		objects+=("$work/$part.o")
	done
	$cxx -std=c++14 -Wno-deprecated $cxx_flags "$@" -c "$programs/specifications.cc" -o "$work/specifications.o"
	$c -fexceptions "$@" -c "$programs/c_frames.c" -o "$work/c.o" 2>"$work/none"
	wait
	build "$work/language" "$cxx" "${objects[@]}" "$work/specifications.o" "$work/c.o" -pthread "$@" 2>"$work/build.log" ||
		{ ok "$name: builds" cat "$work/build.log" /nowhere; return; }
	same "$name" "$work/language"
}
deaths() {
	local way
	build "$work/death" "$1" $cxx_flags -O1 -std=c++14 -w "$programs/death.cc" -pthread
	for way in {0..13}; do
		same "$1: death $way" "$work/death" $way
		says "$1: death $way happens" '^--- status [1-9]'
	done
}
borders() {
	$1 $cxx_flags -O1 -fPIC -shared "$programs/types_library.cc" -o "$work/libtypes.so" $cxx_libraries
	$1 $cxx_flags -O1 -fPIC -shared -DPLUGIN "$programs/types_library.cc" -o "$work/plugin.so" -L"$work" -ltypes \
		$cxx_libraries
	build "$work/types" "$1" $cxx_flags -O1 "$programs/types_main.cc" -L"$work" -ltypes -Wl,-rpath,"$work" -ldl
	same "$1: types over module borders" "$work/types" "$work/plugin.so"
	says "$1: the plugin throws" 'plugin 1: Leaf 2'
}
faults() {
	for level in -O0 -O2; do
		build "$work/faults" "$1" $cxx_flags $level -fnon-call-exceptions "$programs/faults.cc"
		same "$1 $level: exceptions from signal handlers" "$work/faults"
		says "$1 $level: faults are caught" '^deep: SIGSEGV'
	done
}
# A constructor that dlopen runs waits for a thread that throws: nobody may want the loader's lock then.
locks() {
	$1 $cxx_flags -O1 -fPIC -shared "$programs/waiting_constructor.cc" -o "$work/waiting.so" $cxx_libraries -pthread
	gcc "$programs/opens.c" -o "$work/opens" -ldl
	gcc "$programs/opens.c" "${link_dropin[@]}" -o "$work/opens.linked" -ldl
	RUN_LIMIT=10 same "$1: a throw under the loader's lock" "$work/opens" "$work/waiting.so"
	says "$1: it is caught" '^caught 2'
}
# A library that holds a libgcc of its own: its pads go on there, with exceptions of the drop-in, and the other way.
own_libgcc() {
	$1 $cxx_flags -O1 -fPIC -shared -fnon-call-exceptions "$programs/own_libgcc_library.cc" -o "$work/libown.so" \
		-static-libgcc $cxx_libraries
	is "$1: it has its own" "$(nm -D --undefined-only "$work/libown.so" | grep -c _Unwind_Resume)" 0
	build "$work/own" "$1" $cxx_flags -O1 -fnon-call-exceptions "$programs/own_libgcc_main.cc" -L"$work" -lown \
		-Wl,-rpath,"$work"
	same "$1: beside a libgcc that a library holds" "$work/own"
	says "$1: thrown from a signal handler" '^fault: 11'
}
