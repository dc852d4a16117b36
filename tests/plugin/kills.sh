# SPDX-License-Identifier: MIT
# Guests in C and C++, truly killed at every instruction of their own code: armed, hooked, stopped. tests/plugin/exact.sh
# holds the places where a kill may land against the rule; here the library comes to them.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin

for language in c cxx; do
	build_guest $language -O2 "$work/guest.so" || ok "$language is built" false
	sweep_clean "$language" "$work/guest.so" 1000 kill
done
finish
