// Opens the plugins argv[1] and argv[2] in turn, at the same address, and throws and walks through each.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <unwind.h>

typedef int (*middle_function)(int *, void (*)());

static int frames;
static _Unwind_Reason_Code count_frame(_Unwind_Context *, void *) { frames++; return _URC_NO_REASON; }
static void walk() { frames = 0; _Unwind_Backtrace(count_frame, nullptr); }
static void throw_number() { throw 7; }

int main(int, char **argv)
{
	int same = 0, wrong = 0, places[2] = {};
	std::uintptr_t last = 0;

	for (int i = 0; i < 200; i++) {
		void *plugin = dlopen(argv[1 + i % 2], RTLD_NOW | RTLD_LOCAL);
		if (!plugin)
			return std::puts(dlerror()), 1;
		auto middle = reinterpret_cast<middle_function>(dlsym(plugin, "middle"));
		int cleanups = 0;
		same += reinterpret_cast<std::uintptr_t>(middle) == last;
		last = reinterpret_cast<std::uintptr_t>(middle);
		for (int round = 0; round < 3; round++) {
			middle(&cleanups, walk);
			if (places[i % 2] == 0)
				places[i % 2] = frames;
			wrong += frames != places[i % 2] || places[0] != (places[1] ? places[1] : places[0]);
			try {
				middle(&cleanups, throw_number);
				wrong++;
			} catch (int n) {
				wrong += n != 7;
			}
		}
		wrong += cleanups != 6;
		dlclose(plugin);
	}
	std::printf("at the same address %d, wrong %d\n", same, wrong);
}
