# SPDX-License-Identifier: MIT
# Options that distributions and people give: hardening, processors, profiles, link-time optimization,
# passes on and off. The
# guests print what gcc's build prints, -Wripcord is silent, and the audit finds no instruction without its
# landing pad. With
# MATRIX_ALL (all/matrix.sh) there are more options, and each guest is stopped everywhere.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin
cp "$top"/tests/plugin/{moves,late}_guest.c "$work" && cd "$work" || exit 1

debian='-O2 -fstack-protector-strong -Wformat -Werror=format-security
	-fcf-protection -fstack-clash-protection -D_FORTIFY_SOURCE=2'
fedora='-O2 -flto=auto -ffat-lto-objects -fexceptions -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS
	-fstack-protector-strong
	-fasynchronous-unwind-tables -fstack-clash-protection -fcf-protection -fno-omit-frame-pointer
	-mno-omit-leaf-frame-pointer'
matrix=("$debian" "$fedora" '-O3 -march=x86-64-v3' '-Ofast -fno-plt -fipa-pta -fschedule-insns')
more=('-O2 -fschedule-insns -fgcse-las -fgcse-sm' '-Os -fno-tree-ter -fno-ivopts' -O0
	-O1 -O2 -O3 -Os -Og -Ofast '-O3 -D_FORTIFY_SOURCE=3' '-O2 -march=x86-64-v2' '-O2 -march=x86-64-v3'
	'-O2 -mtune=intel' '-O2 -fcf-protection=full' '-O3 -fipa-pta -flto' '-O2 -flto'
	'-O3 -fschedule-insns -fsched-pressure -fsched-spec-load -fsched-spec-load-dangerous'
	'-O2 -fselective-scheduling2 -fsel-sched-pipelining' '-O2 -fsched2-use-superblocks'
	'-O2 -fgcse-after-reload'
	'-O3 -fmodulo-sched' '-O3 -funroll-all-loops -ftracer'
	'-O3 -fsplit-loops -floop-interchange -floop-unroll-and-jam'
	'-O2 -ftree-vectorize -fvect-cost-model=unlimited' '-O3 -fvect-cost-model=unlimited -march=x86-64-v3'
	'-O2 -ftree-loop-distribution' '-O2 -fmove-loop-stores -fira-loop-pressure -flive-range-shrinkage'
	'-O2 -fsplit-paths -fisolate-erroneous-paths-attribute' '-O2 -fno-tree-coalesce-vars'
	'-O2 -fno-tree-pre'
	'-O2 -fno-tree-fre -fno-tree-vrp' '-O2 -fno-if-conversion -fno-if-conversion2 -fno-crossjumping'
	'-O2 -fno-tree-sra'
	'-O2 -fno-inline' '-O2 -ftrapv' '-O2 -fno-shrink-wrap -fno-ipa-ra -fno-caller-saves' '-O2 -fno-gcse'
	'-O2 -ftree-dse -fdse' '-O1 -ftree-pre -fcode-hoisting -fgcse -ftree-vectorize'
	'-O1 -fschedule-insns -fschedule-insns2'
	'-O2 -mstringop-strategy=rep_byte' '-O2 -mstringop-strategy=unrolled_loop'
	'-O2 -mmove-max=256 -march=x86-64-v3'
	'-Os -minline-all-stringops' '-O2 -frename-registers -fweb' '-O2 -fno-forward-propagate'
	'-O2 -mstackrealign'
	'-O2 -fno-tree-tail-merge -fno-ipa-icf' '-O2 -fno-hoist-adjacent-loads -fno-ssa-phiopt'
	'-O3 --param max-unroll-times=2'
	'-O2 -fno-expensive-optimizations' '-O2 -fzero-call-used-regs=used' '-O2 -mcmodel=large')
[ -z "$MATRIX_ALL" ] || matrix+=("${more[@]}")

# Tables of GCC's own, thread-local variables' addresses, and divisions by constants cannot fault. What is
# wrong, or nothing.
lost() { # GUEST SAID
	grep -E 'from before|lost its' "$2"
	"$ripcord" audit --all "$1" | grep -E '^  window  .* at .*_guest\.c' | grep -vE '__tls_get_addr'
}
# A fault in a cleanup, between acquiring and recording, or in "refill" is what it is.
findings() {
	awk '/^[^ ]/ { where = $1 }
		/^    fault / && (/masked\)|in flight\)/ || where == "refill") { next }
		/^    (kill|fault) / { print where $0 }'
}
stopped() { # OPTIONS GUEST: everywhere
	nice "$ripcord" sweep --kind kill,fault "$2" >swept 2>&1
	is "$1: nothing is left" "$(findings <swept)" ''
	ok "$1: it was swept" grep -q 'kills land at' swept
}

gcc -w -O1 -I"$top/include" moves_guest.c -o plain && ./plain >expected
for options in "${matrix[@]}"; do
	for guest in moves late; do
		"$ripcord" cc -g -Wripcord $options ${guest}_guest.c -o $guest 2>said
		is "$guest, ${options//$'\n\t'/ }: nothing has lost its pad" "$? $(lost $guest said)" '0 '
		[ -z "$MATRIX_ALL" ] || stopped "$guest, $options" $guest
	done
	is 'prints what it should' "$("$ripcord" run ./moves)" "$(cat expected)"
	[ "$MATRIX_ALL" ] || [ "$options" = "$debian" ] || continue
	"$ripcord" c++ -Wripcord $options -I"$guests" -c "$guests/guests.cc" -o guests.o 2>said
	is 'C++: nothing has lost its pad' "$(grep -E 'lost its|from before' said)" ''
done

# --- With a profile: GCC divides by the value it has seen most, and otherwise again ---
for options in -O2 ${MATRIX_ALL:+-O3 -Os}; do
	ok "$options: with a profile" "$ripcord" cc -w $options -fprofile-generate moves_guest.c -o moves
	is 'prints what it should' "$(./moves)" "$(cat expected)"
	"$ripcord" cc -g -Wripcord $options -fprofile-use moves_guest.c -o moves 2>said
	is "$options with a profile: nothing has lost its pad" "$(lost moves said)" ''
	is 'prints what it should' "$("$ripcord" run ./moves)" "$(cat expected)"
done
ok 'a line that loses it where the user asks for that is named' grep -q 'moves_guest.c:.*lost its' \
	<("$ripcord" cc -g -Wripcord -O2 -fprofile-use -fvpt moves_guest.c -o moves 2>&1)
[ -z "$MATRIX_ALL" ] || stopped 'a profile' moves
finish
