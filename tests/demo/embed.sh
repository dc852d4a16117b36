# The README's example: the file, as C and as C++.
. tests/tap.bash

sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$work/readme.c"
ok "the README shows examples/embed.c as it is" cmp "$work/readme.c" examples/embed.c
for name in embed embed-cxx; do
	is "$name ends well" "$(status "$build/examples/$name")" 0
	is "$name says" "$(cat "$work/out")" "released: what the guest held
the guest ended by: fault"
done
finish
