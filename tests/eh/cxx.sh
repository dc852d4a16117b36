# C++ with the drop-in in place of libgcc_s: two compilers, each level of optimisation, and what the language says.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

language g++ -O2 && says 'it ran to its end' '^alive: 0, C cleanups'
language g++ -O0
language g++ -Os -fno-asynchronous-unwind-tables
language g++ -O3 -static-libstdc++
language g++ -O2 -fomit-frame-pointer -mno-accumulate-outgoing-args -fno-pic -no-pie
language clang++ -O2
language clang++ -O0
deaths g++
deaths clang++
borders g++
borders clang++
faults g++
own_libgcc g++
locks g++
locks clang++
finish
