# SPDX-License-Identifier: MIT
# As tests/plugin/exact.sh, with a process for each instruction of the guest's own code; and with true kills.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin

all=-fplugin-arg-ripcord_plugin-keep-polls
for language in c cxx; do
	for options in -O1 -O2 '-O2 -flto' "-O3 $all"; do
		build_guest $language "$options" "$work/guest.so" || ok "$language $options is built" false
		sweep_clean "$language $options" "$work/guest.so" 1000 each
		sweep_clean "$language $options, truly" "$work/guest.so" 1000 kill
		[ "$options" = -O2 ] && sweep_clean "$language $options, step by step" "$work/guest.so" 1000 steps
	done
done
finish
