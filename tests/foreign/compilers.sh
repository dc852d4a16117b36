# SPDX-License-Identifier: MIT
# Exceptions and handlers as other compilers and levels write them, and over the drop-in unwinder.
. tests/tap.bash
. tests/foreign/build.bash

[ -z "$SAN" ] || skip_all "built without the sanitizers"
tests='uncaught handlers'
compile g++-O0 g++ -O0
compile clang++-O0 clang++ -O0
compile clang++-O2 clang++ -O2
# The function that ends a noexcept function, as newer versions of clang and other flags write it.
framed() { # NAME INSTRUCTIONS FLAG...
	local name=$1 code=$2; shift 2
	clang++ -std=gnu++17 -fstack-clash-protection -Iinclude -Itests "$@" -S tests/foreign/handlers.cc -o - 2>/dev/null |
		sed "/^__clang_call_terminate:/,/callq/s/pushq\t%rax/$code/" > "$work/$name.s"
	clang++ "$work/$name.s" "$build/lib/libripcord.a" -o "$work/$name-handlers" -pthread -ldl
}
framed clang++-rbp 'pushq %rbp; movq %rsp, %rbp' -O0
framed clang++-endbr 'pushq %rax' -O0 -fcf-protection=branch
framed clang++-room 'pushq %rbp; movq %rsp, %rbp; subq $16, %rsp; movq %rdi, -8(%rbp); movq -8(%rbp), %rdi' -O0 -fPIC
is "the function is there, with a frame" "$(grep -A12 '^__clang_call_terminate:' "$work/clang++-rbp.s" |
	grep -c 'pushq.%rbp')" 1
wait
for name in g++-O0 clang++-O0 clang++-O2; do run $name; done
tests=handlers
for name in clang++-rbp clang++-endbr clang++-room; do run $name; done
tests='uncaught handlers'
run g++-O0 LD_PRELOAD="$build/lib/libripcord-unwind.so"
finish
