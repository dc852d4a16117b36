# Modules whose tables are somewhere else, or in another form, than linkers put them by default.
. tests/tap.bash

cflags="-std=gnu11 -O2 -g -Iinclude -D_GNU_SOURCE"
driver() { # OUT FLAGS...
	local out=$1; shift
	gcc $cflags tests/unwind/modules_lib.c "$@" -o "$work/$out" "$build/lib/libripcord.a" 2>"$work/log" || cat "$work/log"
}
[ -z "$SAN" ] || skip_all "the library wants the sanitizers' runtime"
driver driver -ldl

cat >"$work/a.c" <<'END'
typedef int (*callback)(void *);
int middle(callback, void *, int);
int through(callback function, void *argument) { volatile char some[24] = { 0 }; return middle(function, argument, 2) + some[1]; }
END
cat >"$work/b.c" <<'END'
typedef int (*callback)(void *);
int middle(callback function, void *argument, int n)
{
	volatile char some[72] = { 0 };
	return (n ? middle(function, argument, n - 1) : function(argument)) + some[n];
}
int last(int (*f)(int)) { return f(1) + 1; }
END
gcc -O1 -fno-inline -fno-optimize-sibling-calls -fPIC -c "$work/a.c" -o "$work/a.o"
gcc -O1 -fno-inline -fno-optimize-sibling-calls -fPIC -c "$work/b.c" -o "$work/b.o"
printf '.section .eh_frame,"a",@progbits\n.long 0\n.section .note.GNU-stack,"",@progbits\n' >"$work/mark.s"
gcc -c "$work/mark.s" -o "$work/mark.o"
# library NAME FLAGS... of a.o and b.o
library() {
	local name=$1; shift
	gcc -shared -o "$work/$name.so" "$work/a.o" "$work/b.o" "$@"
}
all="module 4 main yes module 4 main yes module 4 main yes END" # as seen by three walks
none="module 1 main no module 1 main no module 1 main no RETURN"
walks() { # NAME WHAT EXPECTED
	is "$2" "$("$work/driver" "$work/$1.so" 2>&1)" "$3"
}
# patch FILE PERL...: rewrites the bytes in $_; $section{NAME} = [offset in file, size].
patch() {
	local file=$1; shift
	readelf -SW "$file" | perl -ne 'print "$1 $2 $3\n" if /\] (\S+) +\S+ +\S+ (\S+) (\S+)/' >"$work/sections"
	perl -0777 -i -pe 'BEGIN { open F, shift; local $/ = "\n"; while (<F>) { my ($n, $o, $s) = split; $section{$n} = [hex $o, hex $s]; } }'"$1" \
		"$work/sections" "$file"
}

library plain
walks plain "a module as linkers make it" "$all"
library nohdr -Wl,--no-eh-frame-hdr
is "... one without .eh_frame_hdr has no PT_GNU_EH_FRAME" "$(readelf -lW "$work/nohdr.so" | grep -c EH_FRAME)" 0
walks nohdr "no .eh_frame_hdr" "$all"
library nohdr_noid -Wl,--no-eh-frame-hdr -Wl,--build-id=none
walks nohdr_noid "no .eh_frame_hdr and no build id" "$all"
(cd "$work" && is "no .eh_frame_hdr, opened by a relative name" "$(./driver ./nohdr.so 2>&1)" "$all"; echo "$count $failed" >"$work/counts")
read -r count failed <"$work/counts"

# --- Hostile section headers ---
hostile() { # NAME WHAT PERL [EXPECTED]
	cp "$work/nohdr.so" "$work/$1.so"
	patch "$work/$1.so" "$3"
	walks "$1" "$2" "${4:-$none}"
}
hostile stripped "no section headers at all" 'substr($_, 0x28, 8) = "\0" x 8; substr($_, 0x3c, 4) = "\0" x 4;'
hostile faraway "section headers beyond the end" 'substr($_, 0x28, 8) = pack("Q", 1 << 40);'
hostile overflow "section headers at an offset that overflows" 'substr($_, 0x28, 8) = "\xff" x 8;'
hostile entries "section headers of another size" 'substr($_, 0x3a, 2) = pack("S", 63);'
hostile names "no section has the names" 'substr($_, 0x3e, 2) = pack("S", 0xffff);'
header='my ($shoff, $n) = (unpack("Q", substr($_, 0x28, 8)), unpack("S", substr($_, 0x3c, 2)));
	for my $i (0 .. $n - 1) { my $at = $shoff + 64 * $i; my ($offset) = unpack("Q", substr($_, $at + 24, 8));
		next unless $offset == $section{".eh_frame"}[0] && unpack("L", substr($_, $at + 4, 4)) != 0;'
hostile wild "a section outside of the module" "$header"' substr($_, $at + 16, 8) = pack("Q", 1 << 46); }'
hostile huge "a section that is larger than its segment" "$header"' substr($_, $at + 32, 8) = pack("Q", 1 << 40); }'
hostile empty "an empty section" "$header"' substr($_, $at + 32, 8) = "\0" x 8; }'
hostile shifted "a section that starts within a record" "$header"' substr($_, $at + 16, 8) = pack("Q", 3 + unpack("Q", substr($_, $at + 16, 8)));
	substr($_, $at + 32, 8) = pack("Q", unpack("Q", substr($_, $at + 32, 8)) - 3); }' \
	"${none//RETURN/TRUNCATED}"
cat >"$work/replace.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void replace(void)
{
	if (getenv("BY"))
		rename(getenv("BY"), getenv("FILE"));
}
END
gcc -fPIC -O1 -c "$work/replace.c" -o "$work/replace.o"
library replaced -Wl,--no-eh-frame-hdr "$work/replace.o" -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567
library by -Wl,--no-eh-frame-hdr "$work/replace.o" -Wl,--build-id=0x1123456789abcdef0123456789abcdef01234567
walks replaced "a module that replaces nothing" "$all"
is "the file is another one by now" "$(BY=$work/by.so FILE=$work/replaced.so "$work/driver" "$work/replaced.so")" "$none"

# --- Other tables ---
table() { # NAME WHAT PERL EXPECTED
	cp "$work/plain.so" "$work/$1.so"
	patch "$work/$1.so" 'my $h = $section{".eh_frame_hdr"}[0]; my ($n) = unpack("L", substr($_, $h + 8, 4));'"$3"
	walks "$1" "$2" "$4"
}
table unsorted "an unsorted search table" 'my @rows = unpack("(a8)$n", substr($_, $h + 12, 8 * $n));
	substr($_, $h + 12, 8 * $n) = join "", reverse @rows;' "$all"
table linear "a header without a search table" 'substr($_, $h + 2, 2) = "\xff\xff";' "$all"
table other "a search table of another encoding" 'substr($_, $h + 3, 1) = "\x3c";' "$all"
table version "a header of another version" 'substr($_, $h, 1) = "\x02";' "$(sed 's/RETURN/HEADER/' <<<"$none")"
table many "more rows than the segment has" 'substr($_, $h + 8, 4) = "\xff\xff\xff\x7f";' "$(sed 's/RETURN/TRUNCATED/' <<<"$none")"
table pointers "rows that lead out of the section" 'for my $i (0 .. $n - 1) { substr($_, $h + 16 + 8 * $i, 4) = pack("l", 0x7ffffff0); }' \
	"$(sed 's/RETURN/TRUNCATED/' <<<"$none")"

# --- Several tables in one section, end marks between them, records of the 64-bit form ---
gcc -shared -Wl,--no-eh-frame-hdr -o "$work/marks.so" "$work/a.o" "$work/mark.o" "$work/b.o"
walks marks "objects that brought their own end marks" "$all"
ld -r -o "$work/ab.o" "$work/a.o" "$work/mark.o" "$work/b.o" 2>"$work/log" && gcc -shared -Wl,--no-eh-frame-hdr -o "$work/relocatable.so" "$work/ab.o"
walks relocatable "objects that ld -r joined" "$all"
# GNU ld drops such marks, so they are put in by hand: by a linker script, as a section's own bytes.
cat >"$work/script" <<'END'
SECTIONS { .eh_frame : ONLY_IF_RO { KEEP(*a.o(.eh_frame)) LONG(0) LONG(0) KEEP(*(.eh_frame)) } } INSERT BEFORE .gcc_except_table;
END
gcc -shared -nostartfiles -Wl,--no-eh-frame-hdr -Wl,-T,"$work/script" -o "$work/zeros.so" "$work/a.o" "$work/b.o" 2>"$work/log"
is "... a section with end marks in it" "$(objcopy -O binary -j .eh_frame "$work/zeros.so" "$work/zeros.bin" && \
	perl -0777 -ne 'my ($o, $marks) = (0, 0); while ($o + 4 <= length) { my $l = unpack "L", substr $_, $o, 4; $marks += $l == 0; $o += 4 + $l } print $marks >= 2 ? "yes" : "no"' "$work/zeros.bin")" yes
walks zeros "end marks within a section" "$all"
sed 's/(\.eh_frame)) LONG(0) LONG(0) KEEP(\*(\.eh_frame))/(.eh_frame)) } .eh_frame_b : { KEEP(*(.eh_frame))/' "$work/script" >"$work/script2"
gcc -shared -nostartfiles -Wl,--no-eh-frame-hdr -Wl,-T,"$work/script2" -o "$work/two.so" "$work/a.o" "$work/b.o" 2>"$work/log"
objcopy --rename-section .eh_frame_b=.eh_frame "$work/two.so" "$work/two_named.so" 2>"$work/log"
is "... a module with two sections" "$(readelf -SW "$work/two_named.so" | grep -c ' \.eh_frame ')" 2
walks two_named "two sections of one name" "$all"

cat >"$work/wide.s" <<'END'
	.globl	through
	.type	through, @function
through:
7:	subq	$56, %rsp
	movq	%rdi, %rax
	movq	%rsi, %rdi
0:	call	*%rax
	addq	$56, %rsp
	ret
1:	.size	through, . - through
	.section .eh_frame, "a", @progbits
2:	.long	0xffffffff
	.quad	4f - 3f
3:	.long	0
	.byte	1
	.asciz	"zR"
	.byte	1, 0x78, 16, 1, 0x1b
	.byte	0x0c, 7, 8, 0x90, 1
	.p2align 2
4:	.long	0xffffffff
	.quad	6f - 5f
5:	.long	5b - 2b
	.long	7b - .
	.long	1b - 7b
	.byte	0
	.byte	0x44, 0x0e, 64
	.p2align 2
6:	.section .note.GNU-stack, "", @progbits
END
gcc -shared -nostartfiles -Wl,--no-eh-frame-hdr -o "$work/wide.so" "$work/wide.s" 2>"$work/log" || cat "$work/log"
walks wide "records of 64-bit DWARF" "${all//module 4/module 1}"

# --- Static executables ---
own="$(sed 's/module 4/module 5/g' <<<"$all")"
for how in "-static" "-static-pie -fPIE" "-static -Wl,--eh-frame-hdr" "-pie -fPIE -Wl,--no-eh-frame-hdr" "-no-pie"; do
	driver own $how -DTHROUGH -fno-inline -fno-optimize-sibling-calls
	is "an executable: $how" "$("$work/own" | perl -pe 's/module (\d+)/"module " . ($1 >= 5 ? 5 : $1)/ge')" "$own"
done
finish
