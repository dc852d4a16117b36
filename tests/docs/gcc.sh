# SPDX-License-Identifier: MIT
# GCC's own faults (docs/gcc.md): each program of docs/gcc prints what its head says, by the plain compiler.
# GCC 12.2 has all of them. Another GCC either has a fault as 12.2 has it, or is right: then the test is
# skipped, as that GCC has mended it.
. tests/tap.bash
version=$(gcc -dumpfullversion)
ulimit -c 0

head_of() { # FILE WORD: what its head says
	sed -n "s|^// $2: ||p" "$1"
}
printed_by() { # COMMAND...: in one line
	limit 20 "$@" 2>&1 | sed '/^Aborted/d' | paste -sd ';' | sed 's/;/; /g'
}
for file in docs/gcc/*.c*; do
	case $file in *.cc) compiler=g++ ;; *) compiler=gcc ;; esac
	flags=$(head_of "$file" Flags) right=$(head_of "$file" Right)
	wrong=$(head_of "$file" 'GCC 12.2') name=${file##*/}
	ok "$name: is built, without a warning" $compiler -Wall -Wextra -Werror $flags "$file" -o "$work/program"
	got=$(printed_by "$work/program")
	if [ "$got" = "$right" ] && [ "$version" != 12.2.0 ]; then
		count=$((count + 1))
		echo "ok $count - $name # SKIP GCC $version has mended it"
	else
		is "$name: the fault is seen" "$got" "$wrong"
	fi
	gone=$(head_of "$file" 'Gone with')
	if [ -n "$gone" ]; then
		ok "$name: is built with $gone" $compiler $flags $gone "$file" -o "$work/program"
		is "$name: is right with $gone" "$(printed_by "$work/program")" "$right"
	fi
	ok "$name: stands in docs/gcc.md" grep -qF "(gcc/$name)" docs/gcc.md
	ok "$name: with its flags" grep -qF "$compiler $flags $name" docs/gcc.md
done

# What Ripcord makes of them.
if [ -e "$build/lib/ripcord/ripcord_plugin.so" ]; then
	for file in docs/gcc/*.cc; do
		ok "${file##*/}: is built by ripcord c++" \
			"$ripcord" c++ -w $(head_of "$file" Flags) "$file" -o "$work/program"
		is "${file##*/}: is right then" "$(printed_by "$work/program")" "$(head_of "$file" Right)"
	done
fi
finish
