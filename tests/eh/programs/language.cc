// Calls the parts, in threads too.
#include "language.h"

#include <cstdio>
#include <thread>
#include <vector>

int Counted::alive;
Noisy::~Noisy() { std::printf("  ~%d\n", number); }

static int at_start = [] {
	try {
		throw 5;
	} catch (int n) {
		return n;
	}
}();

int main()
{
	std::printf("before main: %d\n", at_start);
	throws();
	shapes();
	c_frames();
	specifications();
	std::printf("alive: %d, C cleanups: %d\n", Counted::alive, c_cleanups);
}
