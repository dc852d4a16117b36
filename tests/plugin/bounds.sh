# SPDX-License-Identifier: MIT
# The longest way without a poll, in instructions that were stepped through, against what plugin/README.md says of it: loops
# that are copied, stripped, unrolled, and left without a poll because they end soon.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin

cat > "$work/guest.c" <<'END'
#include "ripcord/poll.h"
extern volatile int always;
static int numbers[300000];
static struct node { struct node *next; int number; } nodes[3000];
static int volatile rounds = ROUNDS;
__attribute__((noinline)) static void fill(int *to, int n)
{
	for (int i = 0; i < n; i++)
		to[i] += i ^ n;
}
__attribute__((noinline)) static int walk(const struct node *n)
{
	int sum = 0;
	for (; n; n = n->next)
		sum += n->number;
	return sum;
}
__attribute__((noinline)) static int fixed(void)
{
	unsigned sum = (unsigned)always; /* volatile: the call stays between the polls */
	for (int i = 0; i < ROUNDS; i++)
		sum ^= sum << 13, sum ^= sum >> 17, sum ^= sum << 5;
	return (int)sum;
}
/* The outer loop must poll itself: the inner one does only if it is long. */
__attribute__((noinline)) static int nest(const int *from, long n, long m)
{
	int sum = 0;
	if (m > 0)
		for (long i = 0; i < n; i++)
			for (long j = 0; j < m; j++)
				sum += from[(i & 15) + j];
	return sum;
}
/* The outer loop need not: it is over after so many of the inner one's longest ways. */
#define FEW(name, outer) \
	__attribute__((noinline)) static int name(const int *from, long m) \
	{ \
		int sum = 0; \
		for (int i = 0; i < outer; i++) \
			for (long j = 0; j < m && from[j] >= 0; j++) \
				sum += from[j] ^ i; \
		return sum; \
	}
FEW(few, 10)
FEW(many, 300)
__attribute__((constructor)) static void make_list(void)
{
	for (int i = 0; i + 1 < ROUNDS && i + 1 < 3000; i++)
		nodes[i].next = &nodes[i + 1];
}
void entry(void)
{
	RIP_POLL();
	int result = 0;
	if (always)
		CASE;
	RIP_POLL();
	numbers[0] = result;
}
END
longest() { # OPTIONS CASE ROUNDS
	"$ripcord" cc $1 -fno-tree-loop-distribute-patterns -w -shared -Wl,-z,undefs "-DCASE=$2" "-DROUNDS=$3" "$work/guest.c" \
		-o "$work/guest.so" || echo 'not built' >&2
	field longest "$(limit 60 "$sweep" "$work/guest.so")"
}
at_most() { # NAME OPTIONS CASE ROUNDS MOST LEAST
	local found
	found=$(longest "$2" "$3" "$4")
	echo "# $2, $1, $4 rounds: $found"
	ok "$2: $1, $4 rounds: at most $5" test "${found:-0}" -le "$5" -a "${found:-0}" -ge "$6"
}

for level in -O1 -O2 -O3; do
	at_most 'a copy without polls' $level 'fill(numbers, rounds)' 500 $((512 * 12)) 100
	at_most 'strips' $level 'fill(numbers, rounds)' 5000 $((512 * 12)) 100
	at_most 'a loop whose rounds are not known' $level 'result = walk(nodes)' 100 100 5
	at_most 'few rounds of a loop' $level 'result = few(numbers, rounds)' 100 $((1 << 18)) 3000
	at_most 'few rounds of a long one' $level 'result = few(numbers, rounds)' 600 $((512 * 12)) 5
	at_most 'many rounds of a loop' $level 'result = many(numbers, rounds)' 10 $((512 * 12)) 50
	at_most 'a nest' $level 'result = nest(numbers, rounds, rounds)' 60 600 20
done
at_most 'a loop that ends soon' -O2 'result = fixed()' 5000 $((1 << 18)) 10000
at_most 'a loop that does not' -O2 'result = fixed()' 100000 $((512 * 13)) 100
all=-fplugin-arg-ripcord_plugin-keep-polls
at_most 'all polls' "-O2 $all" 'fill(numbers, rounds)' 60 100 5
finish
