# ripcord audit of Ripcord itself: its libraries, its command and the examples are clean, whoever has compiled them.
. tests/tap.bash
# Sanitizers put calls between what is acquired and its cleanup.
wrong=cfi,table,window,lost,stale,transient
[ -z "$SAN" ] || wrong=cfi,table
summary() { "$ripcord" audit --all "$1" | sed -n 's/^  CFI: //p'; }
for file in "$build"/lib/*.so "$build"/lib/ripcord/libgcc_s.so.1 "$ripcord" "$build"/lib/ripcord/guest_start.o \
	"$build"/examples/*.so "$build"/examples/embed; do
	[ -e "$file" ] || continue
	is "${file##*/}: $(summary "$file")" \
		"$("$ripcord" audit --all --fail-on $wrong "$file" >"$work/out"; echo $?
		grep -E "^  (${wrong//,/|}) .*: " "$work/out")" 0
done
# What the audit leaves open must stay small: all of it is code that leaves its stack, or PLT stubs.
is "less than 1 % of libripcord.so is not verified" \
	"$(summary "$build/lib/libripcord.so" | grep -cE ' 0\.[0-9]+ % of the instructions not verified')" 1
finish
