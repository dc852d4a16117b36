# ripcord audit of Ripcord itself: its libraries, its command and the demonstration's guests have no wrong CFI.
. tests/tap.bash
summary() { "$ripcord" audit --all "$1" | sed -n 's/^  CFI: //p'; }
for file in "$build"/lib/*.so "$build"/lib/ripcord/libgcc_s.so.1 "$ripcord" "$build"/lib/ripcord/guest_start.o \
	"$build"/examples/*.so "$build"/examples/embed; do
	[ -e "$file" ] || continue
	is "${file##*/}: $(summary "$file")" \
		"$("$ripcord" audit --all --fail-on cfi,table "$file" >"$work/out"; echo $?; grep -E '^  (cfi|table) ' "$work/out")" 0
done
# What the audit leaves open must stay small: all of it is code that leaves its stack, or PLT stubs.
is "less than 1 % of libripcord.so is not verified" \
	"$(summary "$build/lib/libripcord.so" | grep -cE ' 0\.[0-9]+ % of the instructions not verified')" 1
# The demonstration: no instruction that can fault, and no call, stands in a window.
is "no window in the demonstration's guests" \
	"$("$ripcord" audit --all --fail-on window "$build"/examples/libdemo-guests.so | grep '^  window *[a-z_]*+')" ""
finish
