# SPDX-License-Identifier: MIT
# As tests/plugin/exact.sh, with a process for each instruction of the guest's own code.
. tests/tap.bash
. tests/plugin/exact.bash
has_plugin || exit 77

all=-fplugin-arg-ripcord_plugin-keep-polls
for language in c cxx; do
	for options in -O1 -O2 '-O2 -flto' "-O3 $all"; do
		build_guest $language "$options" "$work/guest.so" || ok "$language $options is built" false
		sweep_clean "$language $options" "$work/guest.so" 1000 each
	done
done
finish
