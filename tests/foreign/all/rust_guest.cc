/* SPDX-License-Identifier: MIT
 * The C++ links of the chains in rust_guest.c. */
static int alive;

struct Held {
	Held() { alive++; }
	~Held() { alive--; }
};

extern "C" int cxx_alive() { return alive; }
extern "C" void cxx_holds(void (*function)(void *), void *argument)
{
	Held held;
	try {
		Held inner;
		function(argument);
	} catch (const char *) {
		alive += 100;
	}
}
