# SPDX-License-Identifier: MIT
# GCC's later passes undo nothing: no landing pad takes a value from before the call that leads to it, nothing that can be
# stopped is moved into a scope, and what is made of library functions, bytes and bits has the pads that these had. Each
# function of the guest is killed at every poll, and gets a fault at every instruction that can have one.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin
cp "$top/tests/plugin/late_guest.c" "$work" && cd "$work" || exit 1

# A fault in a cleanup is what it is: the audit calls its place masked. "refill" has the guard say for a moment what is not so.
findings() {
	awk '/^[^ ]/ { where = $1 } /^    (kill|fault) / && !(/^    fault / && (/masked\)/ || where == "refill")) { print where $0 }'
}

levels=(-O2 -Os '-O2 -flto' '-O3 -march=x86-64-v3 -D_FORTIFY_SOURCE=2')
[ -z "$LATE_ALL" ] || levels+=(-O0 -O1 -O3 -Og '-O2 -D_FORTIFY_SOURCE=2' '-Os -D_FORTIFY_SOURCE=3' -Ofast)
for options in "${levels[@]}"; do
	ok "$options: is built" "$ripcord" cc -w -g $options late_guest.c -o guest
	is "$options: no window" "$("$ripcord" audit --all guest | grep '^  window  .* at late_guest')" ''
	said=$(nice "$ripcord" sweep --kind kill,fault guest 2>&1)
	is "$options: nothing is left, and nothing released twice" "$(findings <<<"$said")" ''
	ok "$options: it was swept" grep -q 'kills land at' <<<"$said"
done

# --- The check of the result: -Wripcord names what has lost its pad, pads with values from before, and nothing else ---
lost() { # WORDS...: lines of which a warning says so
	"$ripcord" cc -Wripcord -D_GNU_SOURCE "$@" -c -o guest.o 2>&1 | grep -E 'Wripcord|internal' | sed 's/:.*lost its.*//' | sort -u
}
for options in -O1 "${levels[@]}"; do
	is "$options: nothing has lost its pad" "$(lost $options late_guest.c)" ''
	is "$options: nor in a hundred idioms" "$(lost -w $options "$top/tests/cc/idioms_data.c")" ''
	[ "$options" = -O0 ] || is "$options: nor in C++" "$("$ripcord" c++ -Wripcord $options -I"$guests" -c "$guests/guests.cc" -o guest.o 2>&1 | grep -E 'lost its|from before')" ''
done
all=-fplugin-arg-ripcord_plugin-all-passes
for line in BYTES.loaded, BYTES.fields, BYTES.fields_from,; do
	number=$(grep -n "^${line}" late_guest.c | cut -d: -f1)
	ok "with all of GCC's passes, ${line#BYTES.} is named" grep -q "late_guest.c:$number:.*lost its landing pad" \
		<("$ripcord" cc -Wripcord -O2 $all -c late_guest.c -o guest.o 2>&1)
done

stale() { # WORDS...: lines whose stop has a pad use a value from before
	"$ripcord" cc -Wripcord "$@" -c -o guest.o 2>&1 | grep 'from before' | sed 's/^[^:]*:\([0-9]*\):.*/\1/' | sort -nu
}
line_of() { # TEXT
	grep -nF "$1" late_guest.c | cut -d: -f1
}
for options in -O2 -O3; do
	said=$(stale $options $all late_guest.c)
	for text in 'push(&list, 1, fault)' 'push(&list, 2, fault)' 'push(&list, 3, fault)'; do
		ok "with all of GCC's passes, $options: the pad of $text is named" grep -qx "$(line_of "$text")" <<<"$said"
	done
done
said=$("$ripcord" cc -Wripcord -O2 -flto $all late_guest.c -o guest 2>&1)
ok "with all of GCC's passes, -flto: the pad is named" \
	grep -q "late_guest.c:$(line_of 'push(&list, 2, fault)'):.*from before" <<<"$said"
said=$("$ripcord" cc -Wripcord -O2 -flto late_guest.c -o guest 2>&1)
is '-flto: not without them' "$(grep -E 'from before|lost its' <<<"$said")" ''
cat >items.cc <<'END'
struct item { item *next; int number; };
struct items { item *first = nullptr; ~items() { while (item *i = first) { first = i->next; delete i; } } };
void push(items &);
extern volatile int seen;
void fill()
{
	items all;
	push(all);
	seen = all.first->number;
	push(all);
	for (item *i = all.first; i; i = i->next)
		seen = seen + i->number;
}
END
ok "with all of GCC's passes, C++: the pad of a call is named" \
	grep -q 'items.cc:8:.*from before' <("$ripcord" c++ -Wripcord -O2 $all -c items.cc -o items.o 2>&1)
is "C++: not without them" "$("$ripcord" c++ -Wripcord -O2 -c items.cc -o items.o 2>&1)" ''

# --- Loops that go with the last poll of their scope ---
cat >loops.c <<'END'
int take(void), call(int);
#define IN_LINE static inline __attribute__((always_inline))
IN_LINE void drop(int *held) { int w[4] = { *held }; for (int i = 0; i < 4; i++) w[i] += w[i & 3]; }
IN_LINE void deep(int *held) { for (int i = 0; i < 3; i++) for (int j = 0; j < *held; j++) ((volatile int *)held)[0] ^= i; }
int one(int a) { { int held __attribute__((cleanup(drop))) = take(); for (int i = 0; i < 2; i++) (void)held; } return a; }
int in_loop(int n)
{
	for (int k = 0; k < n; k++) {
		int held __attribute__((cleanup(deep))) = take();
		for (int i = 0; i < 2; i++)
			(void)held;
	}
	return call(n);
}
int recursive(int a, int *p)
{
	int inner(void) { int held __attribute__((cleanup(drop))) = take(); for (int i = 0; i < 2; i++) (void)held; return 0; }
	inner();
	int room[] = { (p[a], a, p[7]) };
	call(room[0]);
	return recursive(1, p);
}
END
cat >loops.cc <<'END'
int take(), call(int);
struct held { int n = take(); ~held() { for (int i = 0; i < 4; i++) n += i & n; } };
struct deep { int n = take(); ~deep() { for (int j = 0; j < n; j++) for (int i = 0; i < 4; i++) ((volatile int &)n) += i & n; } };
int again(int n) { for (;;) { try { held h; for (int i = 0; i < 2; i++) n += i; return n; } catch (...) { for (int j = 0; j < n; j++) n ^= j; } } }
int nests(int n) { for (int k = 0; k < n; k++) { deep d; { held h; for (int i = 0; i < 3; i++) n ^= i; } } return call(n); }
END
for options in -O1 -O2 -O3 -Os '-O2 -fchecking' '-O3 -funroll-loops'; do
	ok "$options, C: compiles" "$ripcord" cc -w $options -c loops.c -o loops.o
	ok "$options, C++: compiles" "$ripcord" c++ -w $options -c loops.cc -o loops.o
done
finish
