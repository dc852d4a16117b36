// A plugin of which two builds differ in the frames' layout: VARIANT is 0 or 1. Their functions are at the same
// places, as each begins a page of its own.
#include <cstdlib>
#include <cstring>
#include <execinfo.h>

struct Guard {
	int *count;
	~Guard() { ++*count; }
};

extern "C" __attribute__((noinline, section(".text.thrower"), aligned(4096))) void thrower(int *count, void (*callback)())
{
	Guard guard{ count };
#if VARIANT
	char space[200];
	std::memset(space, 1, sizeof space);
	callback();
	__asm__ volatile("" : : "r"(space) : "memory");
#else
	callback();
#endif
}

extern "C" __attribute__((section(".text.middle"), aligned(4096))) int middle(int *count, void (*callback)())
{
#if VARIANT
	volatile long space[40];
	space[0] = 5;
#endif
	thrower(count, callback);
#if VARIANT
	return static_cast<int>(space[0]);
#else
	return 4;
#endif
}
