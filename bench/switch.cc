// SPDX-License-Identifier: MIT
// Benchmark: a switch to a guest and back by rip_resume and rip_yield beside boost.context's jump_fcontext, one way; and
// a whole run of a prepared guest (rip_reset, rip_run) beside a plain call; each with guests that are trusted with the
// control words (rip_options.trust_control_words), and with such that are not. Measured in turns, in one run. Prints
// "name value" lines, nanoseconds, medians.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <boost/context/detail/fcontext.hpp>

#include "ripcord/ripcord.h"

namespace boost_detail = boost::context::detail;

enum { ROUNDS = 41, SWITCHES = 200000 };

static double now()
{
	timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

static rip_guest *yielders[2], *runners[2]; // [1]: trusted
static rip_outcome outcome;

static intptr_t yields_forever(void *)
{
	intptr_t value = 0;

	for (;;)
		rip_yield(nullptr, value + 1, nullptr, &value);
}

static double ripcord_switch(int trusted)
{
	rip_guest *guest = yielders[trusted];
	double start = now();

	for (int i = 0; i < SWITCHES; i++)
		if (rip_resume(guest, nullptr, i, &outcome) != RIP_OK || outcome.value != i + 1)
			abort();
	return (now() - start) / SWITCHES / 2;
}

static boost_detail::fcontext_t other;

static void jumps_forever(boost_detail::transfer_t from)
{
	for (;;)
		from = boost_detail::jump_fcontext(from.fctx, (void *)((uintptr_t)from.data + 1));
}

static double boost_switch(int)
{
	double start = now();

	for (uintptr_t i = 0; i < SWITCHES; i++) {
		boost_detail::transfer_t back = boost_detail::jump_fcontext(other, (void *)i);
		other = back.fctx;
		if ((uintptr_t)back.data != i + 1)
			abort();
	}
	return (now() - start) / SWITCHES / 2;
}

__attribute__((noinline)) static intptr_t plain(void *value)
{
	__asm__ volatile("");
	return (intptr_t)value + 1;
}

static double run_and_return(int trusted)
{
	rip_guest *runner = runners[trusted];
	double start = now();

	for (intptr_t i = 0; i < SWITCHES; i++)
		if (rip_reset(runner) != RIP_OK || rip_run(runner, plain, (void *)i, &outcome) != RIP_OK ||
		    outcome.value != i + 1)
			abort();
	return (now() - start) / SWITCHES;
}

static double plain_call(int)
{
	double start = now();

	for (intptr_t i = 0; i < SWITCHES; i++)
		if (plain((void *)i) != i + 1)
			abort();
	return (now() - start) / SWITCHES;
}

static bool prepare(int trusted)
{
	rip_options options = {};

	options.trust_control_words = trusted;
	return rip_create(&options, &yielders[trusted]) == RIP_OK && rip_create(&options, &runners[trusted]) == RIP_OK &&
	       rip_run(yielders[trusted], yields_forever, nullptr, &outcome) == RIP_OK;
}

int main()
{
	static const struct {
		const char *name;
		double (*measure)(int);
		int trusted;
	} all[] = {
		{ "switch", ripcord_switch, 1 }, { "switch_boost", boost_switch, 0 }, { "switch_looking", ripcord_switch, 0 },
		{ "run_and_return", run_and_return, 1 }, { "run_and_return_looking", run_and_return, 0 },
		{ "plain_call", plain_call, 0 },
	};
	enum { ALL = sizeof all / sizeof all[0] };
	std::vector<double> times[ALL];
	static char stack[64 * 1024] __attribute__((aligned(64)));

	if (!prepare(0) || !prepare(1))
		return 1;
	other = boost_detail::make_fcontext(stack + sizeof stack, sizeof stack, jumps_forever);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < ALL; i++)
			times[i].push_back(all[i].measure(all[i].trusted));
	for (int i = 0; i < ALL; i++) {
		std::sort(times[i].begin(), times[i].end());
		printf("%s %.2f\n", all[i].name, times[i][ROUNDS / 2]);
	}
	for (int i = 0; i < 2; i++)
		if (rip_destroy(yielders[i]) != RIP_OK || rip_destroy(runners[i]) != RIP_OK)
			return 1;
}
