// Threads of C++ that are cancelled: destructors run, catch (...) sees it and passes it on.
#include <cstdio>
#include <cxxabi.h>
#include <initializer_list>
#include <pthread.h>
#include <string>
#include <unistd.h>

static pthread_barrier_t ready;
static int destroyed, passed;
struct Counted { ~Counted() { destroyed++; } };

__attribute__((noinline)) static void wait_here(int depth, bool leave)
{
	Counted counted;
	std::string text(100, 'x');
	if (depth > 0) {
		try {
			wait_here(depth - 1, leave);
		} catch (abi::__forced_unwind &) {
			passed++;
			throw;
		} catch (...) {
			passed += 100;
			throw;
		}
	} else if (leave) {
		pthread_exit(nullptr);
	} else {
		pthread_barrier_wait(&ready);
		for (;;)
			pause();
	}
}

static void *waiting(void *) { wait_here(8, false); return nullptr; }
static void *leaving(void *) { wait_here(8, true); return nullptr; }

static void *throwing(void *)
{
	try {
		Counted counted;
		pthread_cleanup_push([](void *) { destroyed += 10; }, nullptr);
		throw 1;
		pthread_cleanup_pop(1);
	} catch (int) {
		Counted counted;
		pthread_exit(nullptr);
	}
	return nullptr;
}

int main()
{
	for (auto function : { waiting, leaving, throwing }) {
		for (int i = 0; i < 10; i++) {
			pthread_t thread;
			pthread_barrier_init(&ready, nullptr, 2);
			pthread_create(&thread, nullptr, function, nullptr);
			if (function == waiting) {
				pthread_barrier_wait(&ready);
				pthread_cancel(thread);
			}
			pthread_join(thread, nullptr);
		}
		std::printf("destroyed %d, passed %d\n", destroyed, passed);
	}
}
