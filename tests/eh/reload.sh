# A plugin is closed, and another build of it opened at the same address, where rows of the first are still known.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

build "$work/reload" g++ -O1 "$programs/reload.cc" -ldl
for id in --build-id --build-id=none; do
	for variant in 0 1; do
		g++ -O2 -fPIC -shared -DVARIANT=$variant "-Wl,$id" "$programs/plugin.cc" -o "$work/plugin$variant.so"
	done
	symbols() { nm "$work/plugin$1.so" | grep -E ' (middle|thrower)$'; }
	tables() { readelf -SW "$work/plugin$1.so" | grep -o '\.eh_frame_hdr.*PROGBITS *[0-9a-f]*'; }
	ok "$id: and their tables" diff <(tables 0) <(tables 1)
	ok "$id: both builds have their functions at the same places" diff <(symbols 0) <(symbols 1)
	same "$id" "$work/reload" "$work/plugin0.so" "$work/plugin1.so"
	says "$id: they were at one address" '^at the same address 199, wrong 0$'
done
finish
