# Rust, Ada, D and Objective-C over the drop-in. What is not installed is left out.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

have() { command -v "$1" >"$work/none" || { count=$((count + 1)); echo "ok $count # SKIP no $1"; false; }; }

if have rustc; then
	# rustc puts libraries of one's own behind libgcc_s.
	{ echo '#!/bin/bash'; printf 'exec cc'; printf ' %q' "${link_dropin[@]/-lgcc_s/}"; echo ' "$@"'; } >"$work/cc"
	sed -i "s/ ''//" "$work/cc"
	chmod +x "$work/cc"
	for level in 0 3; do
		rustc -A warnings -C opt-level=$level -C panic=unwind "$programs/panics.rs" -o "$work/panics" || exit 1
		rustc -A warnings -C opt-level=$level -C panic=unwind "$programs/panics.rs" -o "$work/panics.linked" \
			-C "linker=$work/cc" || exit 1
		# Thread numbers, and addresses of the standard library's own, differ from run to run.
		normalise() { sed "s/thread '\(.*\)' ([0-9]*)/thread '\1'/; s/ 0x[0-9a-f]*//" | grep -v "^thread '<unnamed>'"; }
		same "rust, level $level" "$work/panics"
		says "rust, level $level: through C" '^qsort: panic through C'
		export RUST_BACKTRACE=1
		same "rust, level $level, with backtrace" "$work/panics" uncaught
		says "rust, level $level: a backtrace of all frames" 'panics::main'
		unset RUST_BACKTRACE
	done
	normalise() { cat; }
fi
if have gnatmake; then
	for level in -O0 -O2; do
		(cd "$work" && gnatmake -q -f $level "$programs/raises.adb" -o raises -bargs -shared -largs -shared-libgcc) || exit 1
		normalise() { sed 's/0x[0-9a-f]*//g'; }
		same "ada $level" "$work/raises"
		says "ada $level: finalized when aborted" 'finalize 300'
		says "ada $level: nobody handles the last" 'nobody handles this'
	done
	normalise() { cat; }
fi
if have gdc; then
	for level in -O0 -O2; do
		build "$work/scopes" gdc $level -shared-libphobos "$programs/scopes.d" 2>"$work/build.log" || exit 1
		normalise() { sed 's/0x[0-9a-f]*//g; s/scopes\.linked/scopes/g; s/\[\]//g'; }
		same "d $level" "$work/scopes"
		says "d $level: chained" 'chain: second'
	done
	normalise() { cat; }
fi
if gcc -x objective-c "$programs/throws.m" -o "$work/objc" -fobjc-exceptions -lobjc 2>"$work/build.log"; then
	same 'objective-c' "$work/objc"
	says 'objective-c: caught' 'caught 1'
else
	count=$((count + 1)); echo "ok $count # SKIP no Objective-C"
fi
finish
