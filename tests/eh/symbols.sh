# What the drop-in exports: the unwinding symbols of libgcc_s with their version nodes, and rip_*; nothing else.
. tests/tap.bash
. tests/eh/dropin.bash

real=$(gcc -print-file-name=libgcc_s.so.1)
exported() { # FILE: "name version" of each defined dynamic symbol
	objdump -T "$1" | awk '$0 !~ /\*UND\*|\*ABS\*/ && NF >= 6 { v = $(NF - 1); gsub(/[()]/, "", v); print $NF, v }' |
		sort -u
}
unwinding() { grep -E '^(_Unwind_|__(de)?register_frame|__gcc_personality)'; }
nodes() { # FILE: the version definitions but the library's own
	objdump -p "$1" | sed -n '/^Version definitions/,/^$/s/^[0-9]* 0x0[02] [^ ]* //p' | grep -v '^RIPCORD_' | sort
}
exported "$real" | unwinding >"$work/wanted"
is 'the machine has the 28 symbols' "$(wc -l <"$work/wanted")" 28
for library in "$unwind" "$as_libgcc/libgcc_s.so.1"; do
	name=${library##*/}
	exported "$library" >"$work/exported"
	ok "$name: the same symbols and versions" diff "$work/wanted" <(unwinding <"$work/exported")
	is "$name: nothing but these, rip_* and LLVM's names for registering" "$(unwinding <"$work/exported" | cat - "$work/wanted" "$work/exported" |
		sort | uniq -u | grep -v '^\(rip_[a-z_]*\|__unw_\(add\|remove\)_dynamic_[a-z_]*\) RIPCORD_0\.1$')" ''
	ok "$name: the version nodes up to GCC 14's, and what else this machine has" \
		diff <({ nodes "$real"; printf 'GCC_1%s.0.0\n' 2 3 4; } | sort -u) <(nodes "$library")
	ok "$name: no text relocations, no executable stack" \
		test -z "$(readelf -dlW "$library" | grep -E 'TEXTREL|GNU_STACK.*RWE')"
done

# The real one serves what the drop-in has not: its helpers are found behind the name.
cat >"$work/helper.c" <<'CODE'
#include <stdio.h>
__int128 __multi3(__int128 a, __int128 b);
extern int __popcountdi2(long);
int main(void) { printf("%d %d\n", (int)__multi3(6, 7), __popcountdi2(255)); return 0; }
CODE
gcc -c "$work/helper.c" -o "$work/helper.o" && gcc -nodefaultlibs "$work/helper.o" -o "$work/helper" -lgcc_s -lc
is "arithmetic helpers are those of libgcc_s" \
	"$(LD_LIBRARY_PATH=$as_libgcc "$work/helper")" '42 8'

# Programs that were linked on a machine with GCC 14's start with it. This stands in for that machine's.
echo 'void __extendbfsf2(void) {} void __strub_enter(void) {}' >"$work/newer.c"
printf 'GCC_13.0.0 { global: __extendbfsf2; local: *; };\nGCC_14.0.0 { __strub_enter; } GCC_13.0.0;\n' >"$work/newer.map"
echo 'void __extendbfsf2(void), __strub_enter(void); #include <stdio.h>
int main(int c, char **v) { if (c > 1) { __extendbfsf2(); __strub_enter(); } puts("started"); (void)v; return 0; }' |
	sed 's/ #/\n#/' >"$work/needs.c"
mkdir "$work/newer"
gcc -shared -fPIC -nostdlib -Wl,-soname,libgcc_s.so.1 -Wl,--version-script,"$work/newer.map" "$work/newer.c" \
	-o "$work/newer/libgcc_s.so.1" && gcc "$work/needs.c" -o "$work/needs" "$work/newer/libgcc_s.so.1" -Wl,-z,lazy
is 'the program needs both nodes' "$(objdump -p "$work/needs" | grep -c 'GCC_1[34]\.0\.0')" 2
is "a program that was linked with GCC 14's libgcc_s starts" "$(LD_LIBRARY_PATH=$as_libgcc "$work/needs")" started

# And the loader binds to it.
g++ -O1 "$programs/small.cc" -o "$work/small"
bound() { LD_DEBUG=bindings LD_PRELOAD=$unwind "$work/small" 2>&1 |
	grep -q "libstdc++.*to $unwind.*_Unwind_RaiseException.*GCC_3.0"; }
ok 'libstdc++ throws through it' bound
finish
