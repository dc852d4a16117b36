# SPDX-License-Identifier: MIT
# Exceptions and handlers as other compilers and levels write them, and over the drop-in unwinder.
. tests/tap.bash
. tests/foreign/build.bash

[ -z "$SAN" ] || skip_all "built without the sanitizers"
tests='uncaught handlers'
compile g++-O0 g++ -O0
compile clang++-O0 clang++ -O0
compile clang++-O2 clang++ -O2
wait
for name in g++-O0 clang++-O0 clang++-O2; do run $name; done
run g++-O0 LD_PRELOAD="$build/lib/libripcord-unwind.so"
finish
