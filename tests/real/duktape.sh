# Duktape 1.3, a whole JavaScript engine in C, as a guest: with and without debug information.
. tests/tap.bash

scripts/build-duktape plain guest guest-g poke poke-g || exit
duktape=$build/duktape
mandel=build/fixtures/duktape/node_modules/duktape/lib/duktape/mandel.js

# What plain gcc's build prints, the guest prints: standard output, errors, exit status.
same() { # BUILD SCRIPT
	local expected got
	expected=$(status "$duktape/plain" "$2")
	cp "$work/out" "$work/plain.out" && cp "$work/err" "$work/plain.err"
	got=$(status "$ripcord" run "$duktape/$1" "$2")
	is "$1 ${2##*/}: exit status" "$got" "$expected"
	ok "$1 ${2##*/}: same output as a plain build" cmp "$work/out" "$work/plain.out"
	ok "$1 ${2##*/}: same errors" cmp "$work/err" "$work/plain.err"
	status "$duktape/$1" "$2" >"$work/status"
	ok "$1 ${2##*/}: the same again where the guest is executed as a program" \
		cmp "$work/out" "$work/plain.out"
}

for name in guest guest-g; do
	for script in "$mandel" tests/real/js/{strings,sort,regexp,json,exceptions,closures,garbage}.js; do
		same "$name" "$script"
	done
done
ok "mandel.js draws its picture" test "$("$ripcord" run "$duktape/guest" "$mandel" | grep -c '[.,=#-]\{76\}')" = 28

# A script that recurses through native code.
overflow() { # BUILD SCRIPT FUNCTION
	is "$1 ${2##*/}: status of an overflow" \
		"$(status "$ripcord" run --stack 256K "$duktape/$1" "tests/real/js/$2")" 139
	ok "$1 ${2##*/}: reported as an overflow" grep -q '^ripcord: guest stopped by a stack overflow' "$work/err"
	ok "$1 ${2##*/}: the backtrace starts in the recursion" \
		bash -c 'head -40 "$1" | grep -q "$2"' - "$work/err" " $3+0x"
	ok "$1 ${2##*/}: and goes up to main" grep -q ' main+0x' "$work/err"
	ok "$1 ${2##*/}: nothing abandoned" bash -c '! grep -q abandoned "$1"' - "$work/err"
}
overflow guest recurse.js duk_bi_array_prototype_iter_shared
overflow guest-g recurse.js duk_bi_array_prototype_iter_shared
is "a larger stack holds what the engine's own limit allows" \
	"$(status "$ripcord" run --stack 4M "$duktape/guest" tests/real/js/recurse.js)" 1
ok "... an error of JavaScript's own" grep -q RangeError "$work/err"
is "a small stack and the JSON decoder" \
	"$(status "$ripcord" run --stack 32K "$duktape/guest" tests/real/js/recurse_json.js)" 139
ok "... overflow too" grep -q 'stack overflow' "$work/err"

# Harm done by native code, called by a script, called by native code.
harm() { # SCRIPT STATUS WORDS...: the words are on the report's lines, in this order
	local script=$1 expected=$2 name line=1 at
	shift 2
	for name in poke poke-g; do
		is "$name $script: status" \
			"$(status "$ripcord" run "$duktape/$name" "tests/real/js/$script")" "$expected"
		line=1
		for word; do
			at=$(tail -n +$line "$work/err" | grep -n -m1 -F -- "$word" | cut -d: -f1)
			is "$name $script: $word" "${at:+there}" there
			line=$((line + ${at:-0}))
		done
		ok "$name $script: every frame was passed" bash -c '! grep -q abandoned "$1"' - "$work/err"
	done
}
harm poke.js 139 SIGSEGV 'write of address 0x0' 'poke+0x' duk_handle_call+0x duk_js_execute_bytecode+0x \
	duk__array_qsort+0x duk_bi_array_prototype_sort+0x duk_js_execute_bytecode+0x \
	duk_bi_array_prototype_iter_shared+0x duk_eval_raw+0x main+0x
harm divide.js 136 SIGFPE 'poke+0x' duk_bi_string_prototype_replace+0x main+0x
harm call.js 139 SIGSEGV 'of address 0x0' 'poke+0x' duk_bi_json_stringify_helper+0x main+0x
# GCC puts what leads to abort() only into a part of its own.
harm abort.js 134 'guest aborted' 'poke.cold+0x' duk_js_execute_bytecode+0x main+0x
is "exit() below two interpreters is the guest's own exit" \
	"$(status "$ripcord" run "$duktape/poke" tests/real/js/exit.js)" 9
status "$ripcord" run "$duktape/poke-g" tests/real/js/poke.js >"$work/status"
ok "with debug information: file and line" grep -q 'duk_js_call.c:[1-9]' "$work/err"
ok "and our own" grep -q 'poke_guest.c:[1-9]' "$work/err"
status "$ripcord" run --report json --report-file "$work/report.json" "$duktape/poke-g" \
	tests/real/js/poke.js >"$work/status"
ok "the report as JSON" perl -MJSON::PP -0777 -ne 'my $r = decode_json($_); exit !($r->{cause} eq "fault" &&
	grep { ($_->{function} // "") eq "poke" } @{$r->{frames}})' "$work/report.json"
finish
