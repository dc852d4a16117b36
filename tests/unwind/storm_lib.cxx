/* SPDX-License-Identifier: MIT
 * storm_lib: two threads throw and catch without pause, a third loads and unloads modules that do, and a timer signal
 * interrupts each of them 5,000 times a second for backtraces. Usage: NAME SECONDS MODULE...
 * Seconds are those of two processors: on a busy machine it takes longer. */
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

extern "C" int rip_backtrace(void **pcs, int max) __attribute__((weak)); /* absent over libgcc_s */

enum { THREADS = 3, FRAMES = 128, RATE = 5000, SHOWN = 8 };

static std::atomic<bool> stop;
static volatile long thrown, loaded;
static int module_count;
static char **module_names;

/* --- Backtraces --- */

/* Each thread's own numbers: its handler alone counts them. */
static thread_local volatile struct numbers {
	long traces, complete, shallow, strange, differ, frames;
	int deepest;
} numbers;
static thread_local volatile bool counting;
static struct numbers all_numbers;
static std::atomic<unsigned long> shown[SHOWN];

extern "C" void *thread_main(void *);
static uintptr_t thread_main_end;

struct trace {
	int count;
	uintptr_t pcs[FRAMES];
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *argument)
{
	auto *trace = static_cast<struct trace *>(argument);
	uintptr_t pc = _Unwind_GetIP(context);

	if (trace->count == FRAMES)
		return _URC_NORMAL_STOP;
	if (pc != 0)
		trace->pcs[trace->count++] = pc;
	return _URC_NO_REASON;
}

static bool is_code(uintptr_t pc)
{
	struct dl_find_object object;

	return _dl_find_object(reinterpret_cast<void *>(pc), &object) == 0;
}

/* A thread's stack starts with thread_main, below libc's start_thread. */
static bool is_complete(const struct trace *trace)
{
	for (int i = 0; i < trace->count; i++)
		if (trace->pcs[i] >= reinterpret_cast<uintptr_t>(thread_main) && trace->pcs[i] < thread_main_end)
			return true;
	return false;
}

static void look(const struct trace *trace)
{
	bool complete = is_complete(trace);

	numbers.traces = numbers.traces + 1;
	numbers.frames = numbers.frames + trace->count;
	if (trace->count > numbers.deepest)
		numbers.deepest = trace->count;
	numbers.complete = numbers.complete + complete;
	numbers.shallow = numbers.shallow + (trace->count < 3);
	for (int i = 0; i < trace->count; i++)
		if (!is_code(trace->pcs[i]))
			numbers.strange = numbers.strange + 1;
	if (complete || trace->count == 0)
		return;
	for (auto &place : shown) {
		unsigned long none = 0, pc = trace->pcs[trace->count - 1];
		if (place.load() == pc || place.compare_exchange_strong(none, pc))
			break;
	}
}

static void on_timer(int)
{
	struct trace trace;

	if (!counting)
		return;
	trace.count = 0;
	_Unwind_Backtrace(add_frame, &trace);
	look(&trace);
	if (rip_backtrace) {
		void *pcs[FRAMES];
		struct trace ours;
		ours.count = rip_backtrace(pcs, FRAMES);
		memcpy(ours.pcs, pcs, sizeof pcs[0] * static_cast<size_t>(ours.count));
		look(&ours);
		/* Both start at this function. */
		if (is_complete(&trace) != is_complete(&ours))
			numbers.differ = numbers.differ + 1;
	}
}

/* --- What is interrupted --- */

static volatile int zero;

__attribute__((noinline)) static void throws(int depth)
{
	std::string held(static_cast<size_t>(depth) + 20, 'h');

	if (depth == 0)
		throw std::runtime_error(held);
	throws(depth - 1 + zero);
	held[0] = 'x';
}

__attribute__((noinline)) static void throw_and_catch(int round)
{
	try {
		throws(round % 20);
	} catch (const std::exception &e) {
		thrown = thrown + 1;
	}
}

__attribute__((noinline)) static void load_and_unload(int round)
{
	void *handles[2];

	for (int i = 0; i < 2; i++) {
		handles[i] = dlopen(module_names[(round + i) % module_count], RTLD_NOW);
		if (!handles[i]) {
			printf("# %s\n", dlerror());
			_exit(1);
		}
		auto run = reinterpret_cast<int (*)(int)>(dlsym(handles[i], "run"));
		if (run(round) != round + 1)
			_exit(1);
	}
	dlclose(handles[round & 1]);
	dlclose(handles[!(round & 1)]);
	loaded = loaded + 1;
}

static timer_t start_timer()
{
	struct sigevent event = {};
	struct itimerspec often = { { 0, 1000000000 / RATE }, { 0, 1000000000 / RATE } };
	timer_t timer;

	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGRTMIN;
	event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		_exit(77);
	counting = true;
	timer_settime(timer, 0, &often, nullptr);
	return timer;
}

static pthread_mutex_t sum_lock = PTHREAD_MUTEX_INITIALIZER;

static void add_numbers()
{
	pthread_mutex_lock(&sum_lock);
	all_numbers.traces += numbers.traces;
	all_numbers.complete += numbers.complete;
	all_numbers.shallow += numbers.shallow;
	all_numbers.strange += numbers.strange;
	all_numbers.differ += numbers.differ;
	all_numbers.frames += numbers.frames;
	if (numbers.deepest > all_numbers.deepest)
		all_numbers.deepest = numbers.deepest;
	pthread_mutex_unlock(&sum_lock);
}

extern "C" __attribute__((noinline)) void *thread_main(void *number)
{
	bool loads = reinterpret_cast<uintptr_t>(number) == 2;
	timer_t timer = start_timer();

	for (int round = 0; !stop; round++)
		loads ? load_and_unload(round) : throw_and_catch(round);
	counting = false;
	timer_delete(timer);
	add_numbers();
	return nullptr;
}
extern "C" __attribute__((noinline)) void after_thread_main() { zero = 0; }

int main(int argc, char **argv)
{
	struct sigaction action = {};
	pthread_t threads[THREADS];
	int seconds = argc > 1 ? atoi(argv[1]) : 5, count = argc > 2 ? THREADS : THREADS - 1;

	setvbuf(stdout, nullptr, _IOLBF, 0);
	module_count = argc - 2;
	module_names = argv + 2;
	thread_main_end = reinterpret_cast<uintptr_t>(thread_main) + 1024;
	action.sa_handler = on_timer;
	action.sa_flags = SA_RESTART;
	sigaction(SIGRTMIN, &action, nullptr);
	for (uintptr_t i = 0; i < static_cast<uintptr_t>(count); i++)
		pthread_create(&threads[i], nullptr, thread_main, reinterpret_cast<void *>(i));
	while (clock() < 2 * seconds * CLOCKS_PER_SEC) // on two processors as long as they say
		usleep(100000);
	stop = true;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], nullptr);
	const struct numbers &n = all_numbers;
	printf("# %ld exceptions, %ld loads of two modules, %ld backtraces of %.1f frames, %d at most\n", thrown, loaded,
	       n.traces, n.traces ? double(n.frames) / double(n.traces) : 0, n.deepest);
	for (auto &place : shown)
		if (unsigned long pc = place.load()) {
			Dl_info info = {};
			dladdr(reinterpret_cast<void *>(pc), &info);
			printf("# ended early at %s+0x%lx (%s)\n", info.dli_fname ? info.dli_fname : "?",
			       pc - reinterpret_cast<unsigned long>(info.dli_fbase), info.dli_sname ? info.dli_sname : "?");
		}
	printf("# %ld incomplete, %ld shallow, %ld pcs outside of code, %ld where the two walks differ\n",
	       n.traces - n.complete, n.shallow, n.strange, n.differ);
	bool good = n.traces > 1000L * seconds && thrown > 1000L * seconds && (count < THREADS || loaded > 20L * seconds) &&
		    n.traces - n.complete <= n.traces / 1000 && n.differ <= n.traces / 1000 && n.shallow == 0 && n.strange == 0 && n.frames > 5 * n.traces;
	return !good;
}
