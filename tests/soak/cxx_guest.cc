// SPDX-License-Identifier: MIT
// The soak's guests in C++.
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "soak_lib.h"

namespace {

class holder {
public:
	holder(void *load, unsigned number) : thing_(thing_acquire(static_cast<load_type *>(load), number)) {}
	~holder() { thing_release(&thing_); }
	holder(const holder &) = delete;
	holder &operator=(const holder &) = delete;

private:
	using load_type = struct load;
	thing thing_;
};

std::mutex mutex;

intptr_t throws(void *load)
{
	holder a(load, 40);

	for (int i = 0;; i++) {
		try {
			holder b(load, 41);
			if (i >= 0)
				throw i;
		} catch (int caught) {
			holder c(load, 42);
			soak_sink = caught;
		}
	}
}

__attribute__((noinline)) void throw_from(void *load, unsigned depth)
{
	holder a(load, depth);

	if (depth == 8)
		throw std::runtime_error("at the end");
	throw_from(load, depth + 1);
}

// Caught half-way, thrown on, and caught again.
__attribute__((noinline)) void rethrow(void *load)
{
	holder a(load, 20);

	try {
		throw_from(load, 0);
	} catch (const std::exception &) {
		holder b(load, 21);
		throw;
	}
}

intptr_t rethrows(void *load)
{
	holder a(load, 40);

	for (;;) {
		try {
			rethrow(load);
		} catch (...) {
			soak_sink = soak_sink + 1;
		}
	}
}

intptr_t bounds(void *load)
{
	holder a(load, 40);
	std::vector<int> numbers(10);

	for (unsigned i = 0;; i++) {
		try {
			holder b(load, 41);
			soak_sink = numbers.at(i % 20);
		} catch (const std::out_of_range &) {
			soak_sink = -1;
		}
	}
}

intptr_t contains(void *load)
{
	holder a(load, 40);

	for (int i = 0;; i++) {
		holder b(load, 41);
		std::map<int, std::string> names;
		std::vector<std::unique_ptr<std::string>> texts;
		for (int k = 0; k < 10; k++) {
			names[k * i] = std::string(static_cast<size_t>(k) * 7, 'x');
			texts.push_back(std::make_unique<std::string>(names[k * i] + "y"));
		}
		soak_sink = static_cast<int>(texts.size());
	}
}

intptr_t guards(void *load)
{
	for (;;) {
		holder a(load, 40);
		std::lock_guard<std::mutex> lock(mutex);
		std::unique_ptr<int> number(new int(3));
		soak_sink = *number;
	}
}

} // namespace

const struct soak_guest soak_cxx_guests[] = {
	{ "throws", throws }, { "rethrows", rethrows }, { "bounds", bounds }, { "contains", contains }, { "guards", guards },
};
const unsigned soak_cxx_count = sizeof soak_cxx_guests / sizeof soak_cxx_guests[0];
