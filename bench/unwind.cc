/* SPDX-License-Identifier: MIT
 * Benchmark: unwinding, with whatever library provides _Unwind_*. Prints "name value" lines, nanoseconds; each value
 * is the median of several rounds. Which library it was is the runner's business (LD_PRELOAD). */
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>
#include <unwind.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

enum { FRAMES = 100, ROUNDS = 9 };

static thread_local volatile int sink; /* shared, it would be what the threads wait for */

struct Guard {
	~Guard() { sink = sink + 1; }
};

static double now()
{
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

template <typename F> static double median(F measure)
{
	double times[ROUNDS];
	for (double &time : times)
		time = measure();
	std::sort(times, times + ROUNDS);
	return times[ROUNDS / 2];
}

template <typename F> static double time_of(int count, F body)
{
	double start = now();
	for (int i = 0; i < count; i++)
		body();
	return (now() - start) / count;
}

/* --- Backtraces of 100 frames --- */

static void *pcs[FRAMES];

__attribute__((noinline)) static int walk_frame_pointers()
{
	uintptr_t *frame = (uintptr_t *)__builtin_frame_address(0);
	int count = 0;
	while (count < FRAMES && frame) {
		pcs[count++] = (void *)frame[1];
		frame = (uintptr_t *)frame[0];
	}
	return count;
}

struct Trace {
	int count;
};

static _Unwind_Reason_Code record(_Unwind_Context *context, void *argument)
{
	Trace *trace = (Trace *)argument;
	pcs[trace->count++] = (void *)_Unwind_GetIP(context);
	return trace->count == FRAMES ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void check(int count)
{
	if (count != FRAMES)
		abort();
}

static void backtraces()
{
	int (*rip)(void **, int) = (int (*)(void **, int))dlsym(RTLD_DEFAULT, "rip_backtrace");

	/* Interleaved, so that all see the same machine. */
	std::vector<double> fp, ours, abi;
	for (int round = 0; round < ROUNDS; round++) {
		fp.push_back(time_of(20000, [] { check(walk_frame_pointers()); }) / FRAMES);
		if (rip)
			ours.push_back(time_of(20000, [=] { check(rip(pcs, FRAMES)); }) / FRAMES);
		abi.push_back(time_of(500, [] {
			Trace trace = { 0 };
			_Unwind_Backtrace(record, &trace);
			check(trace.count);
		}) / FRAMES);
	}
	auto middle = [](std::vector<double> &v) {
		std::sort(v.begin(), v.end());
		return v[v.size() / 2];
	};
	printf("frame_pointer_walk %.3f\n", middle(fp));
	if (rip)
		printf("rip_backtrace %.3f\n", middle(ours));
	printf("unwind_backtrace %.3f\n", middle(abi));
}

__attribute__((noinline)) static int deep(int depth)
{
	if (depth == 0)
		backtraces();
	else
		deep(depth - 1);
	return sink;
}

/* --- Exceptions --- */

__attribute__((noinline)) static int throw_below(int depth)
{
	Guard guard;
	if (depth == 0)
		throw 1;
	return throw_below(depth - 1) + sink;
}

static void throw_through(int frames)
{
	try {
		throw_below(frames - 1);
	} catch (int) {
	}
}

static double throw_time(int frames, int count)
{
	return median([=] { return time_of(count, [=] { throw_through(frames); }); });
}

/* --- Threads --- */

static std::atomic<int> ready, go;

static void *thrower(void *result)
{
	ready++;
	while (!go)
		;
	*(double *)result = time_of(40000, [] { throw_through(1); });
	return nullptr;
}

static double threads_time(int count)
{
	pthread_t threads[2];
	double times[2];
	ready = go = 0;
	for (int i = 0; i < count; i++)
		pthread_create(&threads[i], nullptr, thrower, &times[i]);
	while (ready < count)
		;
	go = 1;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], nullptr);
	return count == 1 ? times[0] : std::max(times[0], times[1]);
}

/* --- 1,000 functions that were never unwound before --- */

enum { FUNCTIONS = 500 };

template <int N, int Kind> struct Chain {
	__attribute__((noinline)) static int call(int how)
	{
		Guard guard;
		return Chain<N - 1, Kind>::call(how) + sink + N;
	}
};
template <int Kind> struct Chain<0, Kind> {
	__attribute__((noinline)) static int call(int how)
	{
		if (how)
			throw now();
		static int seen;
		seen = 0;
		double start = now();
		_Unwind_Backtrace([](_Unwind_Context *, void *n) { ++*(int *)n; return _URC_NO_REASON; }, &seen);
		printf("first_backtrace %.1f\n", (now() - start) / seen);
		return 0;
	}
};

static void first_throw()
{
	double time = 0;
	/* Twice 500: templates nest only so deep. */
	try { Chain<FUNCTIONS, 1>::call(1); } catch (double start) { time += now() - start; }
	try { Chain<FUNCTIONS, 2>::call(1); } catch (double start) { time += now() - start; }
	printf("first_throw %.1f\n", time / (2 * FUNCTIONS));
}

int main()
{
	throw_through(1); /* whatever is set up once */
	Chain<2 * FUNCTIONS - 200, 0>::call(0);
	first_throw();
	deep(FRAMES + 20);
	printf("throw_100 %.1f\n", throw_time(FRAMES, 400) / FRAMES);
	printf("throw_1 %.1f\n", throw_time(1, 20000));
	double one = median([] { return threads_time(1); }), two = median([] { return threads_time(2); });
	printf("two_threads_slowdown %.3f\n", two / one);
}
