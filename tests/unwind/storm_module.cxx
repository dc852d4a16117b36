/* SPDX-License-Identifier: MIT
 * storm_module: what is loaded and unloaded: throws and catches inside, at load, and at unload. */
#include <stdexcept>
#include <string>

__attribute__((noinline)) static int deeper(int depth)
{
	std::string held(static_cast<size_t>(depth) + VARIANT, 'm');

	if (depth == 0)
		throw std::out_of_range(held);
	return deeper(depth - 1) + static_cast<int>(held.size());
}

static int caught;
static int try_it(int depth)
{
	try {
		return deeper(depth);
	} catch (const std::logic_error &e) {
		caught++;
		return -1;
	}
}

__attribute__((constructor)) static void at_load() { try_it(VARIANT); }
__attribute__((destructor)) static void at_unload() { try_it(VARIANT + 1); }

extern "C" int run(int round)
{
	for (int i = 0; i < 5; i++)
		try_it(i + VARIANT);
	return caught == 6 ? round + 1 : 0;
}
