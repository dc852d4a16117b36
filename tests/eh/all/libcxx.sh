# C++ by clang++ with libc++ over the drop-in.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

# libc++: its headers may have been put into build/libc++ (scripts/fetch-libcxx), as Debian's package of them cannot
# be installed beside nongnu libunwind's.
for root in "$build/../libc++" "$build/libc++" ''; do
	libcxx=$(ls -d "$root"/usr/lib/llvm-*/include/c++/v1 2>"$work/none" | tail -1)
	[ -z "$libcxx" ] || break
done
[ -n "$libcxx" ] || skip_all "libc++ was not fetched"
cxx_flags="-nostdinc++ -isystem $libcxx"
libraries=/usr/lib/x86_64-linux-gnu
cxx_libraries="-nostdlib++ $libraries/libc++.so.1 $libraries/libc++abi.so.1"
for level in -O0 -O2; do language clang++ $level; done
deaths clang++
borders clang++
locks clang++
finish
