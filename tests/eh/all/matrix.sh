# C++ by each compiler with libstdc++, at every level.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

for cxx in g++ clang++; do
	for level in -O0 -O1 -O2 -O3 -Os; do language $cxx $level; done
	language $cxx -O2 -fno-asynchronous-unwind-tables -fno-omit-frame-pointer
	language $cxx -O2 -flto
done
language g++ -O2 -static-libstdc++
language g++ -O2 -fno-pic -no-pie
language g++ -O2 -freorder-blocks-and-partition -fprofile-generate="$work/profile"
language g++ -O2 -maccumulate-outgoing-args
language g++ -Os -mno-accumulate-outgoing-args -mpush-args
language g++ -O1 -fcf-protection=full -fstack-protector-all -fstack-clash-protection

finish
