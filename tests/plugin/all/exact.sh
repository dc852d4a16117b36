# SPDX-License-Identifier: MIT
# As tests/plugin/exact.sh, with a process for each instruction at which the guest is killed, and more ways to build it.
. tests/tap.bash
. tests/plugin/exact.bash
has_plugin || exit 77

all=-fplugin-arg-ripcord_plugin-keep-polls
for language in c cxx; do
	for options in -O0 -O1 -O2 -O3 -Os '-O2 -flto' "-O1 $all" "-O3 $all" "-Os -flto $all" '-O3 -march=native -funroll-loops' '-O2 -fno-inline' \
	    '-O2 -finline-limit=5000 -fipa-pta' '-O2 -fno-reorder-blocks-and-partition -ffunction-sections' \
	    '-Og -fsanitize=undefined -fsanitize-undefined-trap-on-error'; do
		build_guest $language "$options" "$work/guest.so" || ok "$language $options is built" false
		sweep_clean "$language $options" "$work/guest.so" 1000 each
	done
done
finish
