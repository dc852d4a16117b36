// SPDX-License-Identifier: MIT
// Structures that a function returns in memory, wanted where nothing is: each holds something while it makes one.
// The first argument says which; tests/plugin/results.sh.
#include <cstdio>
#include <new>

struct held {
	~held() { std::fputs("released\n", stderr); }
};
struct plain {
	unsigned part[9];
};
struct longs {
	long first, second, third;
};
struct built {
	unsigned part[9];
	explicit built(unsigned n) : part{n, n + 1, n + 2, n + 3} {}
};

static volatile unsigned seen = 3;

#define ALONE __attribute__((noipa)) static
ALONE plain make_named(unsigned n) { held h; plain p = { { n, n + 1, seen } }; return p; }
ALONE plain make_unnamed(unsigned n) { held h; return { { n, n + 1, seen } }; }
ALONE longs make_longs(unsigned n) { held h; return { (long)n, 2, 3 }; }
ALONE built make_built(unsigned n) { held h; return built(n); }
ALONE plain pass_on(unsigned n) { held h; return make_named(n); }
static inline plain make_inline(unsigned n) { held h; return { { n, seen, n } }; }

int main(int, char **argv)
{
	static plain there;
	void *volatile place = argv[2] ? &there : nullptr;

	switch (argv[1][0]) {
	case '0': new (place) plain(make_named(1)); break;
	case '1': new (place) plain(make_unnamed(2)); break;
	case '2': new (place) longs(make_longs(3)); break;
	case '3': new (place) built(make_built(4)); break;
	case '4': new (place) plain(pass_on(5)); break;
	case '5': new (place) plain(make_inline(6)); break;
	}
	std::printf("%u %u %u\n", there.part[0], there.part[1], there.part[3]);
}
