// Linked with -static-libgcc: cleanups, throws and catches by another unwinder than the program's.
#include "own_libgcc.h"

#include <cstdio>

namespace {
struct Noisy {
	const char *what;
	~Noisy() { std::printf("  ~%s\n", what); }
};
} // namespace

void clean_up_around(void (*function)(int), int argument)
{
	Noisy noisy{ "library" };
	function(argument);
}

void throw_here(int number)
{
	Noisy noisy{ "thrower" };
	throw number;
}

int catch_here(void (*function)(int), int argument)
{
	try {
		clean_up_around(function, argument);
	} catch (int number) {
		try {
			Noisy noisy{ "again" };
			throw;
		} catch (int again) {
			return number + again;
		}
	}
	return 0;
}
