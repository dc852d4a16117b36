# The demonstration: what it says of its guests, and that it fits a terminal.
. tests/tap.bash

is "it ends well" "$(status "$build/examples/demo")" 0
cp "$work/out" "$work/demo"
is "nothing on standard error" "$(cat "$work/err")" ""
is "seven guests" "$(grep -c '^ [1-7]\. A guest' "$work/demo")" 7
is "six of them leave nothing" "$(grep -c '^    left .*as before the guest$' "$work/demo")" 6
is "one is abandoned" "$(grep -c 'STILL HELD' "$work/demo")" 1
is "... the last" "$(grep -n 'STILL HELD\|7\. A guest' "$work/demo" | sed 's/.*\(7\.\|STILL\).*/\1/' | xargs)" "7. STILL"
ok "the report names the frames and their lines" grep -q 'handle_line+0x.* at guests.c:[0-9]* *\[cleaned\]' "$work/demo"
ok "... the host's among them" grep -q 'host_each_line+0x.* at hostcalls.c:[0-9]* *\[cleaned\]' "$work/demo"
is "its counts at the end" "$(grep '^    at end' "$work/demo" | tr -s ' ')" \
	"$(grep '^    at start' "$work/demo" | sed 's/at start/at end/' | tr -s ' ')"

is "Duktape's part ends well" "$(status env BUILD="$BUILD" sh examples/demo/duktape.sh)" 0
cat "$work/out" >>"$work/demo"
if ! grep -q 'no network' "$work/out"; then
	ok "it draws" grep -q '####' "$work/out"
	ok "it stops the recursion" grep -q 'stopped by a stack overflow' "$work/out"
fi
is "no line is longer than 79 characters" "$(awk 'length > 79' "$work/demo")" ""
finish
