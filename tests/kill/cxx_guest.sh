# SPDX-License-Identifier: MIT
# A host in C that has no C++ runtime, and a guest in C++ that it loads: exceptions in it and out of it, faults and kills; in
# functions with a dynamic exception specification (throw(int), C++14) too.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin
[ -z "$SAN" ] || skip_all "a sanitizer comes with a C++ runtime of its own"

cat > "$work/guest.cc" <<'END'
#include <pthread.h>
#include <string>
extern "C" { volatile int held, released, ready, handled; int *volatile nowhere; }
static volatile unsigned long spins;
struct resource {
	std::string text{"longer than what fits into a string itself"};
	resource() { held = held + 1; }
	~resource() { held = held - 1, released = released + 1; }
};
static void spin()
{
	ready = 1;
	for (;;)
		spins = spins + 1;
}
__attribute__((noinline)) static void specified(int what) throw(int)
{
	resource r;
	if (what == 1) throw 1;
	if (what == 2) throw 2.0; /* not what it says */
	if (what == 3) *nowhere = 1;
	if (what == 4) spin();
}
template <int what> static long in_specified(void *)
{
	resource r;
	try {
		specified(what);
	} catch (int number) {
		handled = number;
	}
	return 7;
}
#define ENTRY(name, ...) extern "C" long name(void *unused) { __VA_ARGS__; }
ENTRY(caught, resource r; try { throw std::string("thrown"); } catch (std::string &s) { handled = (int)s.size(); } return 7)
ENTRY(uncaught, resource r; throw std::string("thrown"))
ENTRY(faults, resource r; *nowhere = 1; return 7)
ENTRY(spins_on, resource r; spin(); return 7)
ENTRY(spins_in_handler, resource r; try { throw std::string("t"); } catch (std::string &s) { resource q; handled = 1; spin(); } return 7)
ENTRY(specified_throws, return in_specified<1>(unused))
ENTRY(specified_wrong, return in_specified<2>(unused))
ENTRY(specified_faults, return in_specified<3>(unused))
ENTRY(specified_spins, return in_specified<4>(unused))
END
cat > "$work/host.c" <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include "ripcord/kill.h"
#include "ripcord/ripcord.h"

static rip_handle handle;
static volatile int *ready, *held, *released, *handled;

static void *kill_it(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(ready, __ATOMIC_SEQ_CST))
		sched_yield();
	rip_kill(handle, RIP_SOFT);
	return NULL;
}

static void run(void *library, const char *name)
{
	rip_options options = { .grace = RIP_NEVER };
	rip_outcome outcome = { 0 };
	rip_guest *guest;
	pthread_t thread;

	*ready = *held = *released = *handled = 0;
	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK)
		abort();
	pthread_create(&thread, NULL, kill_it, NULL);
	rip_function function = (rip_function)dlsym(library, name);
	if (!function || rip_run(guest, function, NULL, &outcome) != RIP_OK)
		abort();
	const rip_report *report = rip_get_report(guest);
	printf("%s %s held %d released %d handled %d", name, rip_cause_name(outcome.cause), *held, *released, *handled);
	/* Below std::unexpected, two pads of libstdc++'s own end in std::terminate: those cleanups fail. */
	if (outcome.cause != RIP_CAUSE_RETURNED && outcome.cause != RIP_CAUSE_ABORTED && (report->abandoned || report->cleanups_failed))
		printf(" abandoned %d failed %d", (int)report->abandoned, (int)report->cleanups_failed);
	puts("");
	__atomic_store_n(ready, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	rip_destroy(guest);
}

int main(int argc, char **argv)
{
	if (dlsym(RTLD_DEFAULT, "__cxa_throw")) {
		puts("the host has a C++ runtime already");
		return 1;
	}
	void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		puts(dlerror());
		return 1;
	}
	ready = dlsym(library, "ready"), held = dlsym(library, "held"), released = dlsym(library, "released");
	handled = dlsym(library, "handled");
	for (int i = 2; i < argc; i++)
		run(library, argv[i]);
	return 0;
}
END
gcc -std=gnu11 -O1 -Wall -Werror -Wno-unused-result -Iinclude "$work/host.c" -o "$work/host" -L"$build/lib" -lripcord \
	-Wl,-rpath,"$(realpath "$build/lib")" -pthread -ldl || ok "the host is built" false

entries='caught uncaught faults spins_on spins_in_handler specified_throws specified_faults specified_spins specified_wrong'
for options in -O0 -O1 -O2 -O3 -Os '-O2 -flto'; do
	"$ripcord" c++ -std=gnu++14 -fPIC -shared -w $options "$work/guest.cc" -o "$work/guest.so" || ok "$options is built" false
	is "$options" "$("$work/host" "$work/guest.so" $entries 2>&1 | grep -v '^terminate called')" \
'caught returned held 0 released 1 handled 6
uncaught exception held 0 released 1 handled 0
faults fault held 0 released 1 handled 0
spins_on killed held 0 released 1 handled 0
spins_in_handler killed held 0 released 2 handled 1
specified_throws returned held 0 released 2 handled 1
specified_faults fault held 0 released 2 handled 0
specified_spins killed held 0 released 2 handled 0
specified_wrong aborted held 0 released 2 handled 0'
done
finish
