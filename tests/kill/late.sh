# SPDX-License-Identifier: MIT
# Guests that throw, jump or sleep all the time are killed softly, each release once, within a millisecond of
# their processor time in the median, besides what one throw takes: under libgcc's unwinder, the drop-in, LLVM's and
# nongnu's.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "the sanitizers' own runtime is in the way"
needs_plugin

"$ripcord" c++ -std=gnu++17 -O2 -Wall -Wno-infinite-recursion -Werror -Iinclude tests/kill/late_guest.cc \
	-o "$work/late" -L"$build/lib" -lripcord -Wl,-rpath,"$build/lib" -pthread -ldl > "$work/log" 2>&1 ||
	{ ok "it is built" false; sed 's/^/# /' "$work/log"; finish; }

late() { # NAME UNWINDER KIND DEPTH
	local kind depth median one soft lost wall
	read -r kind depth median one soft lost wall < <(LD_PRELOAD=$2 limit 60 "$work/late" "$3" "$4")
	echo "# $1: $3 $4: ${median:-none} us in the median; one throw takes ${one:-none} us"
	is "$1: $3 $4: softly, nothing lost" "$soft $lost" "15 0"
	ok "$1: $3 $4: soon" test "${median:-1000000}" -lt $((1000 + one))
}
dropin=$build/lib/libripcord-unwind.so
llvm=$(ls /usr/lib/llvm-*/lib/libunwind.so.1 2>/dev/null | head -1)
nongnu=$(ls /usr/lib/x86_64-linux-gnu/libunwind.so.8 2>/dev/null)
while read -r name file; do
	[ -n "$file" ] || continue
	[ "$name" != libgcc ] || file=
	for what in 'throws 1' 'throws 10' 'throws 100' 'high 1' 'again 3' 'destructors 1' 'destructors 10'; do
		late "$name" "$file" ${what% *} ${what#* }
	done
done << END
libgcc -
drop-in $dropin
LLVM $llvm
nongnu $nongnu
END
for what in 'jumps 1' 'jumps 100' 'masks 1' 'sleeps 1' 'naps 1'; do
	late libgcc '' ${what% *} ${what#* }
done
finish
