# The differential test: at every instruction of a workload, the unwinder beside a shadow call stack.
# DIFFERENTIAL_INSTRUCTIONS says how many; Duktape takes part if it can be fetched. The workload's throws are
# unwound by the drop-in.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "the workload would be the sanitizers' own"

objects= library=
if scripts/fetch-duktape >"$work/log" 2>&1; then
	source=build/fixtures/duktape/node_modules/duktape/lib/duktape/src
	flags="-DDUKTAPE -I$source" library=$build/tests/unwind/duktape-O2.o
	mkdir -p "${library%/*}"
	[ "$library" -nt "$source/duktape.c" ] || gcc -O2 -w -c "$source/duktape.c" -o "$library" || exit
fi
{
	gcc -std=gnu11 -O2 -g -Wall -Wextra -Werror -Iinclude -Itests -D_GNU_SOURCE -c tests/unwind/differential_lib.c \
		-o "$work/stepper.o" &&
	g++ -std=gnu++17 -O2 -g -Wall -Wextra -Iinclude $flags -c tests/unwind/differential_workload.cxx -o "$work/workload.o" &&
	g++ -Wl,-z,lazy -rdynamic "$work/stepper.o" "$work/workload.o" $library "$build/lib/libripcord.a" -o "$work/differential" \
		-lm -ldl -L"$build/lib" -Wl,--no-as-needed -lripcord-unwind -Wl,-rpath,"$build/lib"
} || exit
"$work/differential" "${DIFFERENTIAL_INSTRUCTIONS:-100000}"
