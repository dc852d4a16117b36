# ripcord audit: options, formats, exit statuses, and files that are not what they should be.
. tests/tap.bash
cd "$work" || exit 1

cat >good.s <<'E1'
.globl f
.type f, @function
f:	.cfi_startproc
	push %rbx
	.cfi_adjust_cfa_offset 8
	pop %rbx
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size f, . - f
E1
sed 's/cfi_adjust_cfa_offset -8/cfi_adjust_cfa_offset 8/' good.s >bad.s
for name in good bad; do gcc -c $name.s -o $name.o && gcc -shared -nostdlib $name.o -o $name.so; done
json() { perl -MJSON::PP -e 'local $/; my $d = decode_json(<STDIN>); print eval $ARGV[0]' "$1"; }

# --- Exit statuses
is "a clean file" "$(status "$ripcord" audit good.so)" 0
is "findings that nobody asked for" "$(status "$ripcord" audit bad.so)" 0
is "findings asked for" "$(status "$ripcord" audit --fail-on cfi bad.so)" 1
is "a list of kinds" "$(status "$ripcord" audit --fail-on window,cfi good.so bad.so)" 1
is "kinds that were not found" "$(status "$ripcord" audit --fail-on=window,lost,stale,transient,table bad.so)" 0
is "an unknown kind" "$(status "$ripcord" audit --fail-on cfi,x bad.so)" 2
is "is named" "$(cat err)" 'ripcord: audit: --fail-on: "x" is not cfi, window, lost, stale, transient or table'
is "a missing value" "$(status "$ripcord" audit bad.so --fail-on)" 2
is "an unknown option" "$(status "$ripcord" audit --frob bad.so)" 2
is "no file" "$(status "$ripcord" audit)" 2
is "--diff of one file" "$(status "$ripcord" audit --diff good.so)" 2
is "--help" "$("$ripcord" audit --help | head -1)" 'usage: ripcord audit [OPTION...] FILE...'
cp good.so ./-odd.so
is "a file behind --" "$(status "$ripcord" audit -- -odd.so)" 0
is "a result that cannot be written" "$("$ripcord" audit good.so >/dev/full 2>/dev/null; echo $?)" 125

# --- Files that are none
touch empty
echo text >text
mkdir directory
head -c 100 good.so >short.so
ar rc archive.a good.o
printf 'f: ret\n' | gcc -m32 -c -x assembler - -o narrow.o
refused() { # FILE REASON
	is "$1" "$(status "$ripcord" audit "$1"; cat err)" "2
ripcord: audit: $1: $2"
}
refused missing 'No such file or directory'
refused empty 'not an ELF file'
refused text 'not an ELF file'
refused directory 'not a regular file'
refused archive.a 'an archive: its members must be unpacked first'
refused narrow.o 'not for x86-64'
is "the other files are audited all the same" "$("$ripcord" audit text good.so 2>/dev/null | grep -c '^good.so: 1 functions')" 1
damaged=0
size=$(stat -c %s bad.so)
for at in $(seq 0 97 "$size"); do
	head -c "$at" bad.so >cut.so
	limit 10 "$ripcord" audit --all cut.so >out 2>err
	case $? in 0 | 2) ;; *) damaged=$((damaged + 1)) ;; esac
	cp bad.so hurt.so
	printf '\377\377\377\377' | dd of=hurt.so bs=1 seek="$at" conv=notrunc status=none
	limit 10 "$ripcord" audit --all hurt.so >out 2>err
	case $? in 0 | 2) ;; *) damaged=$((damaged + 1)) ;; esac
done
is "files that are cut off or damaged give a result or an error" "$damaged" 0
objcopy --dump-section .eh_frame=frame bad.o
head -c 40 frame >frame.cut
objcopy --update-section .eh_frame=frame.cut bad.o cut.o
is "a table that is cut off is a finding" "$("$ripcord" audit cut.o | sed -n 's/^  table *//p')" \
	": .eh_frame: a table ends before the datum does"

# --- What is found
is "text" "$("$ripcord" audit bad.so | sed -n 's/(0x[^)]*)/(...)/; s/^  cfi *//p')" \
	'f+0x2 (...): the CFA is given as rsp+24, which is CFA+16 (the CFA is rsp+8)'
printf '%s\n' '.globl f' '.type f, @function' 'f: .cfi_startproc' 'push %rbx' 'mov %rdi, %rax' 'add $1, %rax' 'nop' \
	'.cfi_adjust_cfa_offset 8' 'pop %rbx' '.cfi_adjust_cfa_offset -8' 'ret' '.cfi_endproc' '.size f, . - f' >long.s
gcc -c long.s -o long.o
is "neighbours are one finding" "$("$ripcord" audit long.o | sed -n 's/^  cfi *f+0x1 (0x10001-\(0x[0-9a-f]*\)).*/\1/p')" 0x10009
is "JSON" "$("$ripcord" audit --json bad.so good.so | json '$d->{files}[0]{findings}[0]{kind} . " " .
	$d->{files}[0]{findings}[0]{function} . " " . @{$d->{files}[1]{findings}} . " " .
	$d->{files}[1]{instructions}{plain} . " " . $d->{files}[0]{path}')" 'cfi f 0 3 bad.so'
is "JSON of a file that cannot be read" "$("$ripcord" audit --json text 2>/dev/null | json '$d->{files}[0]{error}')" \
	'not an ELF file'
objcopy --redefine-sym f="$(printf 'a<b>&"\001\377')" bad.o odd.o
is "JSON of an odd name" "$("$ripcord" audit --json odd.o | json 'sprintf "%vd", $d->{files}[0]{findings}[0]{function}')" \
	'97.60.98.62.38.34.1.65533'
is "text of an odd name" "$("$ripcord" audit odd.o | grep -c "$(printf '^  cfi *a<b>&"?')")" 1
"$ripcord" audit --html odd.o text >page.html 2>/dev/null
is "HTML of an odd name" "$(grep -c 'a&lt;b&gt;&amp;&quot;' page.html)" 1
is "HTML names the file that could not be read" "$(grep -c 'not an ELF file' page.html)" 1
is "HTML needs nothing else" "$(grep -ciE 'src=|href=|url\(|@import|<script' page.html)" 0
is "a terminal's progress" "$(script -qec "'$ripcord' audit good.so bad.so" /dev/null </dev/null | grep -c '\[2/2\] bad.so')" 1
is "none when piped" "$("$ripcord" audit good.so bad.so 2>&1 >/dev/null | wc -c)" 0
"$ripcord" audit --all bad.so >plain
strip bad.so -o stripped.so
is "stripped: the same place" "$("$ripcord" audit stripped.so | sed -n 's/^  cfi.*(\(0x[^)]*\)).*/\1/p')" \
	"$(sed -n 's/^  cfi.*(\(0x[^)]*\)).*/\1/p' plain)"
cp bad.so bare.so
printf '\0\0\0\0\0\0\0\0' | dd of=bare.so bs=1 seek=40 conv=notrunc status=none # e_shoff
printf '\0\0\0\0' | dd of=bare.so bs=1 seek=60 conv=notrunc status=none # e_shnum, e_shstrndx
is "without section headers: the same place" "$("$ripcord" audit bare.so | sed -n 's/^  cfi.*(\(0x[^)]*\)).*/\1/p')" \
	"$(sed -n 's/^  cfi.*(\(0x[^)]*\)).*/\1/p' plain)"
for ten in 1 2 3 4 5 6 7 8 9 10 11; do sed "s/\bf\b/f$ten/g" bad.s; done >many.s
gcc -c many.s -o many.o
is "the first ten of each kind" "$("$ripcord" audit many.o | grep -c '^  cfi *f')" 10
is "and how many more" "$("$ripcord" audit many.o | grep -c '^  cfi *and 1 more')" 1
is "all" "$("$ripcord" audit --all many.o | grep -c '^  cfi *f')" 11
gcc -g -c bad.s -o lines.o
gcc -shared -nostdlib lines.o -o lines.so
is "lines of an object file" "$("$ripcord" audit lines.o | grep -c 'at .*bad.s:8: ')" 1
is "lines of a shared object" "$("$ripcord" audit lines.so | grep -c 'at .*bad.s:8: ')" 1

# --- Differences
is "a new finding" "$("$ripcord" audit --diff good.so bad.so | grep '^[+-]')" '+ cfi       f: 1 (was 0)'
is "one that is gone" "$("$ripcord" audit --diff bad.so good.so | grep '^[+-]')" '- cfi       f: 0 (was 1)'
is "no difference" "$("$ripcord" audit --diff bad.so bad.so | grep -c '^[+-]')" 0
is "--fail-on looks at what is new" "$(status "$ripcord" audit --diff --fail-on cfi good.so bad.so)" 1
is "and not at what was there" "$(status "$ripcord" audit --diff --fail-on cfi bad.so bad.so)" 0
is "nor at what is gone" "$(status "$ripcord" audit --diff --fail-on cfi bad.so good.so)" 0
is "a file that cannot be read" "$(status "$ripcord" audit --diff bad.so text)" 2

# --- The manual page's example
example=$(sed -n '/^\.Bd -literal/,/^\.Ed/p' "$top/man/ripcord-audit.1" | grep -v '^\.')
cp good.so guest.so
is "the manual's example" "$(PATH=$build/bin:$PATH; eval "$(echo "$example" | head -1)" >/dev/null; echo $?)" 0
is "its second" "$(PATH=$build/bin:$PATH; cp good.so old.so; cp bad.so new.so
	eval "$(echo "$example" | sed -n 2p)" | grep -c '^+ cfi')" 1
finish
