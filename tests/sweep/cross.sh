# SPDX-License-Identifier: MIT
# The sweep and the audit check each other on the guests of the exactness tests, as docs/cross-check.md says: all faults.
# What a fault left stands where the audit says that something is lost, or was in flight; what does not is listed here. And
# each window that was reached leaked.
. tests/tap.bash
. tests/sweep/exact.bash
needs_plugin

places() { json 'join ", ", map { "$_ $d->{faults_by_audit}{$_}" } grep { $d->{faults_by_audit}{$_} } qw(window masked none), "in flight", qw(foreign pad plain unknown)' <"$work/json"; }
# What the audit sees nothing to lose in, by function and line.
others() {
	json 'my %h; $h{"$_->{function} $_->{line}"} += $_->{times} for grep { $_->{audit} =~ /pad|plain|foreign|unknown/ } @{$d->{findings}};
		join "\n", map { s/_ZNSt6vector.*reserveEm/reserve/r . " $h{$_}" } sort keys %h' <"$work/json"
}
fates() { json 'my %h; $h{$_->{faults}}++ for @{$d->{windows}}; join ", ", map { "$_ $h{$_}" } sort keys %h' <"$work/json"; }

check() { # LANGUAGE LEVEL OTHERS
	build_exact "$1" "$2" "$work/guest.so" || ok "$1 $2 is built" false
	limit 100 "$ripcord" sweep --json --kind fault --entry entry "$work/guest.so" >"$work/json" 2>"$work/err"
	is "$1 $2: what the audit does not explain" "$(others)" "$3"
	is "$1 $2: some are masked, some in flight" "$(places | grep -c 'masked.*in flight')" 1
	is "$1 $2: windows that were reached and leaked nothing" "$(fates | grep -c 'left nothing')" 0
	echo "# $1 $2: $(json '$d->{stops}{fault}' <"$work/json") faults; findings: $(places); windows: $(fates)"
}

# get() counts a reference, then is stopped: put() of the one that is known leaves the object. The guest's own state was half
# changed, and all its cleanups ran.
in_c() { check c "$1" 'get 173 4'; }
# vector::reserve() between the stores of its three pointers: likewise, found released twice and as a cleanup that was stopped.
in_cxx() { check cxx "$1" "$([ "$1" = -O3 ] || echo 'reserve 97 2')"; }
for level in ${LEVELS:--O2}; do
	in_c $level
	[ $level = -O0 ] || in_cxx $level
done
finish
