# SPDX-License-Identifier: MIT
# Kills pass the frames of a host that g++ or clang++ has built, as it is, and run its destructors; they wait for C without
# exceptions, and for what is noexcept. With strict_frames they wait for all of it.
. tests/tap.bash
needs_plugin
[ -z "$SAN" ] || skip_all "a host of a sanitizer's build needs the sanitizer"
here=tests/foreign

"$ripcord" cc -O2 -shared -fPIC $here/plain_guest.c -o "$work/libguest.so" || exit 1
gcc -O2 -shared -fPIC $here/plain_c_lib.c -o "$work/libbyhand.so" || exit 1
host() { # NAME COMPILER FLAG...
	local name=$1; shift
	"$@" -std=c++17 -Iinclude $here/plain_host_lib.cc -o "$work/$name" -L"$work" -lguest -lbyhand -L"$build/lib" -lripcord \
		-ldl "-Wl,-rpath,$work" "-Wl,-rpath,$build/lib"
}
told() { # NAME ARGUMENTS...: what the host printed
	limit 60 "$work/$1" "${@:2}" 2>&1 | tee "$work/$1.log"
}
cases='a lambda
guest, host, guest, host
a virtual function of a template
a handler of another type
a noexcept function
C by hand'
soft=$(echo "$cases" | sed 's/$/: deadline, rung 1, each released, 0 by hand, waited for none/')

compilers="g++"
command -v clang++ >"$work/ok.log" && compilers="g++ clang++"
for compiler in $compilers; do
	for level in -O0 -O2; do
		ok "$compiler $level" host "$compiler$level" "$compiler" $level
		is "$compiler $level: each is killed softly" "$(told "$compiler$level")" "$soft"
	done
done
ok "static C++ runtime" host static g++ -O2 -static-libstdc++ -static-libgcc
is "static C++ runtime: each is killed softly" "$(told static)" "$soft"
told "g++-O2" strict >"$work/strict"
is "strict: each was waited for in vain" "$(grep -c 'rung 2' "$work/strict")" 6
is "and the report names the host" "$(grep -c 'waited for g++-O2$' "$work/strict")" 6
finish
