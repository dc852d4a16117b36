# SPDX-License-Identifier: MIT
# A script in Duktape, swept: the engine knows nothing of stops, one cleanup holds all its memory. docs/cross-check.md.
. tests/tap.bash
. tests/sweep/exact.bash
needs_plugin
scripts/build-duktape sweep || exit
guest=$build/duktape/sweep script='[3,1,2].sort().join("")'

# All kills of what runs the script; and faults all over it.
"$ripcord" sweep --json --from duk_eval_raw --kind kill "$guest" "$script" >"$work/json"
is "kills: status" $? 0
is "each instruction was killed at, nothing was found" \
	"$(json '($d->{stops}{kill} == $d->{instructions}) . " " . @{$d->{findings}} . " $d->{ended}"' <"$work/json")" '1 0 returned'
ok "more than fifty thousand" test "$(json '$d->{stops}{kill}' <"$work/json")" -gt 50000
"$ripcord" sweep --json --from duk_eval_raw --kind fault --every 10 "$guest" "$script" >"$work/json"
is "faults: what is left was being freed by a cleanup" \
	"$(json 'join " ", sort keys %{{map { ($_->{audit} => 1) } @{$d->{findings}}}}' <"$work/json")" masked
ok "more than a thousand" test "$(json '$d->{stops}{fault}' <"$work/json")" -gt 1000
is "windows that were reached and leaked nothing" "$(json 'scalar grep { $_->{faults} eq "left nothing" } @{$d->{windows}}' <"$work/json")" 0
echo "# $(json 'my %h; $h{$_->{faults}}++ for @{$d->{windows}}; "$d->{stops}{fault} of $d->{candidates}{fault} faults, windows: " . join(", ", map { "$_ $h{$_}" } sort keys %h)' <"$work/json")"
echo "# findings: $(json 'join ", ", map { "$_ $d->{faults_by_audit}{$_}" } grep { $d->{faults_by_audit}{$_} } sort keys %{$d->{faults_by_audit}}' <"$work/json")"
finish
