// The program beside a library with an unwinder of its own.
#include "own_libgcc.h"

#include <csignal>
#include <cstdio>
#include <initializer_list>

static void throws(int number) { throw number; }
static void inner(int number) { clean_up_around(throws, number); }
static void outer(int number) { clean_up_around(throw_here, number); }

static void handler(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, nullptr);
	clean_up_around(throws, signal);
}

// The frame that catches is the one that the signal interrupted: its stack pointer is not all that identifies it.
__attribute__((noinline)) static int faults(volatile int *from)
{
	try {
		return *from;
	} catch (int signal) {
		return signal;
	}
}

int main()
{
	for (auto function : { throws, throw_here, inner, outer }) {
		std::printf("caught there: %d\n", catch_here(function, 21));
		try {
			clean_up_around(function, 5);
		} catch (int number) {
			std::printf("caught here: %d\n", number);
		}
	}
	std::signal(SIGSEGV, handler);
	std::printf("fault: %d\n", faults(nullptr));
}
