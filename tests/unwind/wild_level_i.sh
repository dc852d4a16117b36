# The wild states of wild.c, as _Unwind_Backtrace of the drop-in sees them.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "the library wants the sanitizers' runtime"

gcc -std=gnu11 -O2 -g -Wall -Iinclude -Itests -D_GNU_SOURCE -DLEVEL_I tests/unwind/wild.c -o "$work/wild" \
	-L"$build/lib" -Wl,--no-as-needed -lripcord-unwind -Wl,-rpath,"$build/lib" || exit
"$work/wild"
