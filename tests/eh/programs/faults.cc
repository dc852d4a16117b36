// Exceptions thrown by signal handlers, with -fnon-call-exceptions: from a function's first instruction, from the
// middle, from leaves that have no frame, on an alternate stack.
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

struct Fault { int signal; };
struct Noisy {
	const char *what;
	~Noisy() { std::printf("  ~%s\n", what); }
};

// Pointers that do not say noexcept, as the functions do.
static void *(*volatile fill)(void *, int, std::size_t) = std::memset;
static int (*volatile raise_it)(int) = raise;

static void handler(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, nullptr);
	throw Fault{ signal };
}

__attribute__((noinline)) static int load(volatile int *from) { return *from; }
__attribute__((noinline)) static int divide(volatile int *a, volatile int *b) { return *a / *b; }
__attribute__((noinline)) static int caller(volatile int *from, int depth)
{
	Noisy noisy{ "caller" };
	volatile char space[100];
	space[0] = static_cast<char>(depth);
	return depth ? caller(from, depth - 1) + space[0] : load(from);
}

template <class F> static void expect(const char *what, F function)
{
	try {
		Noisy noisy{ what };
		std::printf("%d\n", function());
	} catch (const Fault &fault) {
		std::printf("%s: %s\n", what, fault.signal == SIGSEGV ? "SIGSEGV" : "SIGFPE");
	}
}

static void all()
{
	static volatile int one = 1, zero;
	int *volatile null = nullptr;
	expect("leaf", [&] { return load(null); });
	expect("deep", [&] { return caller(null, 5); });
	expect("division", [&] { return divide(&one, &zero); });
	expect("inline", [&] { return *static_cast<volatile int *>(null) + 1; });
	expect("memory", [&] { fill(null, 1, 64); return 0; });
	expect("signal by itself", [&] { return raise_it(SIGFPE); });
	for (int i = 0; i < 3; i++)
		expect("again", [&] { return load(null + i); });
}

int main(int argc, char **)
{
	struct sigaction action = {};
	action.sa_handler = handler;
	sigaction(SIGSEGV, &action, nullptr);
	sigaction(SIGFPE, &action, nullptr);
	all();
	if (argc > 1)
		return 0;
	static char space[256 << 10];
	stack_t alternate = {};
	alternate.ss_sp = space;
	alternate.ss_size = sizeof space;
	sigaltstack(&alternate, nullptr);
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGSEGV, &action, nullptr);
	sigaction(SIGFPE, &action, nullptr);
	all();
}
