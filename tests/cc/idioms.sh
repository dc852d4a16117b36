# SPDX-License-Identifier: MIT
# ripcord cc: what GCC makes of common code has the landing pads that the code had. The audit finds no window where something
# can fault, but for those that it cannot know better: a table of GCC's own, the place of a result, a division by a constant;
# and libgcc's arithmetic, which takes nothing but registers.
. tests/tap.bash
data=$top/tests/cc/idioms_data.c
cd "$work" || exit 1
needs_plugin
harmless='switch_to_table|return_struct|digits|call of __(popcountdi2|muldc3|divti3)'

for options in -O0 -O1 -O2 -O3 -Os -Og '-O2 -flto' '-O3 -march=x86-64-v3' '-Ofast -march=x86-64-v4'; do
	ok "$options: is built" "$ripcord" cc -w -D_GNU_SOURCE $options -g -shared -Wl,-z,undefs "$data" -o idioms.so
	is "$options: no window" "$("$ripcord" audit --all idioms.so | grep '^  window  .* at ' | grep -Ev "$harmless")" ''
	rm -f idioms.so
done
finish
