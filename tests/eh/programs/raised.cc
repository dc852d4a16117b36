// Exceptions that another unwinder raises, through frames whose personality and landing pads are bound to this one's.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <unwind.h>

static int destroyed, asked;
struct Counted { ~Counted() { destroyed++; } };

typedef _Unwind_Reason_Code raise_function(_Unwind_Exception *);
typedef _Unwind_Reason_Code force_function(_Unwind_Exception *, _Unwind_Stop_Fn, void *);
static raise_function *raise_there;
static force_function *force_there;
enum Way { RAISED, FORCED, OURS };
static const char *const names[] = { "raised", "forced", "raised by ours" };
static _Unwind_Exception exception;

static void deleted(_Unwind_Reason_Code, _Unwind_Exception *) { std::puts("deleted"); }
// Nothing catches it for good: it ends the program where the stack ends.
static _Unwind_Reason_Code stop(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception *, _Unwind_Context *, void *)
{
	asked++;
	if (actions & _UA_END_OF_STACK) {
		std::printf("the end, destroyed %d\n", destroyed);
		std::exit(0);
	}
	return _URC_NO_REASON;
}

__attribute__((noinline)) static void deeper(int depth, Way way)
{
	Counted counted;
	if (depth > 0) {
		deeper(depth - 1, way);
		return;
	}
	std::memset(&exception, 0, sizeof exception);
	std::memcpy(&exception.exception_class, "STRANGER", 8);
	exception.exception_cleanup = deleted;
	std::printf("returned %d\n", way == FORCED ? force_there(&exception, stop, nullptr) :
		(way == OURS ? _Unwind_RaiseException : raise_there)(&exception));
}

// A throw of its own in a cleanup, which the other's exception passes.
struct Throws {
	~Throws()
	{
		try {
			throw 1;
		} catch (int) {
			destroyed += 10;
		}
	}
};

static void run(Way way)
{
	destroyed = asked = 0;
	try {
		Throws throws;
		deeper(5, way);
	} catch (...) {
		std::printf("%s: destroyed %d, caught\n", names[way], destroyed);
		if (way == FORCED)
			throw;
	}
}

int main(int count, char **argument)
{
	void *library = count > 1 ? dlopen(argument[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
	if (!library)
		return 1;
	raise_there = reinterpret_cast<raise_function *>(dlsym(library, "_Unwind_RaiseException"));
	force_there = reinterpret_cast<force_function *>(dlsym(library, "_Unwind_ForcedUnwind"));
	if (!raise_there || !force_there)
		return 1;
	for (int i = 0; i < 3; i++) {
		run(RAISED);
		run(OURS); // in the same memory
	}
	run(FORCED);
}
