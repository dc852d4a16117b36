# SPDX-License-Identifier: MIT
# Guests in C and C++, killed at every instruction of their run: nothing is left behind, nothing released twice.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin

# Also with a poll at every back edge, as many as there can be.
all=-fplugin-arg-ripcord_plugin-keep-polls
for language in c cxx; do
	for options in -O0 -O1 -O2 -O3 -Os "-O2 $all" '-O2 -flto'; do
		build_guest $language "$options" "$work/guest.so" || ok "$language $options is built" false
		sweep_clean "$language $options" "$work/guest.so" 40
	done
done

# What that is worth: the same code as GCC alone makes it, stopped where it stands.
line=$(gcc -O2 -fPIC -shared -fexceptions -fnon-call-exceptions -w -I"$guests" "$guests/guests.c" -o "$work/plain.so" &&
	"$sweep" "$work/plain.so" any)
echo "# without the plugin, stopped at any instruction: $line"
ok "without the plugin, a third of the places leave something behind" \
	test "$(($(field bad_places "$line") * 3))" -gt "$(field places "$line")"
finish
