# Every bad input: one line that names the thing, status 2.
. tests/tap.bash
cd "$work" || exit 1
echo 'int main(void) { return 0; } int data = 3;' >good.c
"$ripcord" cc good.c -o good.so

bad() { # WORDS ARGUMENT...
	local words=$1; shift
	is "$*: status" "$(status "$ripcord" "$@")" 2
	is "$*: one line" "$(wc -l <"$work/err")" 1
	ok "$*: \"$words\"" grep -qF -- "$words" "$work/err"
	is "$*: nothing on stdout" "$(cat "$work/out")" ""
}
bad 'no subcommand'
bad 'fly: no such subcommand' fly
bad 'fly: no such subcommand' help fly
bad '--fly' run --fly ./good.so
bad '-s' run -s 1M ./good.so
bad 'no guest' run
bad 'no guest' run --stack 1M
bad '--stack needs a value' run --stack
for size in '' x 1x 1KB -5 ' 5' 0x10 99999999999999999999 18014398509481984K; do bad '--stack' run --stack "$size" ./good.so; done
bad 'too small' run --stack 1K ./good.so
bad 'too small' run --stack=0 ./good.so
bad '--report' run --report xml ./good.so
bad '--report-file' run --report none --report-file f ./good.so

bad 'none.so: No such file' run ./none.so
bad ': No such file' run ''
mkdir dir; bad 'dir: not a regular file' run dir
mkfifo fifo; bad 'fifo: not a regular file' run ./fifo
: >empty; bad 'empty: not an ELF file' run ./empty
echo '#!/bin/sh' >script; bad 'script: not an ELF file' run ./script
head -c 3000 good.so >cut.so; bad 'cut.so: the file is cut off' run ./cut.so
head -c 100 good.so >cut2.so; bad 'cut2.so: the file is cut off' run ./cut2.so
patch() { cp good.so "$1"; printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
patch arm.so 18 '\267\000'; bad 'arm.so: for another machine' run ./arm.so
patch class.so 4 '\001'; bad 'class.so: 32-bit' run ./class.so
patch endian.so 5 '\002'; bad 'endian.so: not a 64-bit little-endian' run ./endian.so
patch type.so 16 '\011'; bad 'type.so: not a shared object' run ./type.so
patch phoff.so 32 '\377\377\377\377\377\377\377\377'; bad 'phoff.so: the file is cut off' run ./phoff.so
patch phnum.so 56 '\000\000'; bad 'phnum.so: not a shared object' run ./phnum.so
gcc good.c -no-pie -o exec; bad 'exec: an executable' run ./exec
gcc good.c -pie -fPIE -o pie; bad 'pie: an executable' run ./pie
gcc good.c -static -o static && bad 'static: an executable' run ./static
gcc -c good.c -o good.o; bad 'good.o: an object file' run ./good.o
echo 'int nothing(void); int main(void) { return nothing(); }' >undef.c
gcc -shared -fPIC undef.c -o undef.so; bad 'undef.so: undefined symbol: nothing' run ./undef.so
bad 'good.so: no function "nope"' run --entry nope ./good.so
bad 'good.so: no function "data"' run --entry data ./good.so
bad 'good.so: no function "printf"' run --entry printf ./good.so
bad 'good.so: no function ""' run --entry '' ./good.so
echo 'int part(void) { return 0; }' >part.c; "$ripcord" cc -shared part.c -o part.so
bad 'part.so: no function "main"' run ./part.so
gcc -shared -fPIC -fno-asynchronous-unwind-tables -fno-exceptions good.c -o bare.so
bad 'bare.so: no unwind tables' run ./bare.so
bad "new?line: No such file" run $'./new\nline'
long=$(printf 'x%.0s' {1..200}); bad 'No such file' run "./$long"
finish
