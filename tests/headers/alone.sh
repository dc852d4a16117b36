# Each public header by itself, as C11 (with POSIX, for siginfo_t) and as C++17, with the compiler's pedantry: no other
# include is needed before it, and no extension is used that a strict program would be told of.
. tests/tap.bash

for header in include/ripcord/*.h; do
	name=${header##*/}
	printf '#include <ripcord/%s>\n#include <ripcord/%s>\nextern int alone;\n' "$name" "$name" >"$work/alone.c"
	cp "$work/alone.c" "$work/alone.cc"
	flags="-Iinclude -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -fsyntax-only"
	is "$name as C11" "$(gcc -std=c11 -Wstrict-prototypes $flags "$work/alone.c" 2>&1)" ""
	is "$name as C++17" "$(g++ -std=c++17 $flags "$work/alone.cc" 2>&1)" ""
done
finish
