// SPDX-License-Identifier: MIT
// Guests in C++: each function releases all that it has acquired, by destructors.
#include "ledger.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline, noclone))

namespace {

struct resource {
	int number;
	explicit resource(int n) : number(acquire(n)) {}
	resource(resource &&other) noexcept : number(other.number) { other.number = -1; }
	resource &operator=(resource &&other) noexcept
	{
		std::swap(number, other.number);
		return *this;
	}
	resource(const resource &) = delete;
	~resource()
	{
		if (number >= 0)
			release(number);
	}
};

NOINLINE int work(const int *numbers, int count)
{
	int sum = 0;

	for (int i = 0; i < count; i++)
		sum += numbers[i] * i;
	return sum;
}

NOINLINE int nested(int depth)
{
	resource outer(depth);
	int numbers[4] = { 1, 2, 3, depth };
	int sum = work(numbers, 4);

	if (depth == 2)
		return sum;
	for (int i = 0; i < 2; i++) {
		resource inner(10 + depth * 2 + i);
		sum += work(numbers, 3) + inner.number;
		if (i == 1 && depth == 1)
			break;
	}
	return sum + nested(depth + 1) + outer.number;
}

// --- noexcept destructors with members, loops, helpers and scopes of their own ----------------

void drain(resource *list, int count)
{
	for (int i = 0; i < count; i++)
		if (list[i].number >= 0) {
			release(list[i].number);
			list[i].number = -1;
		}
}

struct pool {
	resource first{20};
	resource last{21};
	int numbers[3] = { 1, 2, 3 };
	~pool()
	{
		resource guard(22);
		drain(&last, 1);
		if (work(numbers, 3) == guard.number)
			release(63);
	}
};

struct lazy {
	std::vector<resource> list;
	~lazy()
	{
		for (int i = 0; i < 2; i++)
			list.reserve(4);
	}
};

// Calls a function that polls, from a function that may not be stopped.
NOINLINE int quiet(const int *numbers) noexcept
{
	resource held(23);
	int sum = 0;

	for (int i = 0; i < 3; i++)
		sum += work(numbers, i);
	return sum + held.number;
}

struct may_throw {
	int number = acquire(24);
	~may_throw() noexcept(false)
	{
		int numbers[3] = { number, 1, 2 };
		if (work(numbers, 3) != 0)
			release(number);
	}
};

NOINLINE int destructors()
{
	lazy list;
	int numbers[3] = { 1, 2, 3 };

	list.list.reserve(2);
	for (int i = 0; i < 3; i++)
		list.list.emplace_back(25 + i);
	pool p;
	may_throw m;
	return quiet(numbers) + m.number + p.last.number;
}

// --- Owners -----------------------------------------------------------------------------------

NOINLINE int consume(std::unique_ptr<resource> owner)
{
	int numbers[2] = { 1, owner->number };

	return work(numbers, 2);
}

NOINLINE resource make(int number)
{
	resource made(number);
	int numbers[2] = { 1, 2 };

	if (work(numbers, 2) == 77)
		return resource(30);
	return made;
}

NOINLINE int owners()
{
	auto unique = std::make_unique<resource>(31);
	std::shared_ptr<resource> shared(new resource(32)), other = shared;
	resource moved = make(33);
	int sum = consume(std::move(unique)) + other->number;

	moved = make(34);
	for (int i = 0; i < 2; i++) {
		auto next = std::make_shared<resource>(35 + i);
		shared = next;
		sum += next->number;
	}
	return sum + consume(std::make_unique<resource>(37));
}

NOINLINE int containers()
{
	std::map<int, resource> map;
	std::string text = "long enough that it lies on the heap, surely";
	std::vector<int> numbers = { 3, 1, 2 };
	int calls = 0;

	for (int i = 0; i < 3; i++)
		map.emplace(2 - i, resource(38 + i));
	std::sort(numbers.begin(), numbers.end(), [&calls](int a, int b) {
		resource held(41);
		calls += held.number;
		return a < b;
	});
	for (char &letter : text)
		letter = static_cast<char>(letter + 1);
	std::function<int(int)> add = [&text](int n) { return n + static_cast<int>(text.size()); };
	return add(calls) + map.begin()->second.number;
}

// --- Exceptions of the guest's own ------------------------------------------------------------

struct part {
	resource a{45};
	resource b;
	explicit part(int fail) : b(46)
	{
		int numbers[2] = { 1, 2 };
		if (work(numbers, 2) == fail)
			throw resource(47);
	}
};

NOINLINE int exceptions(int fail)
{
	int sum = 0;

	for (int i = 0; i < 2; i++) {
		try {
			part p(i ? fail : 0);
			sum += p.b.number;
		} catch (resource &caught) {
			resource inner(48);
			int numbers[2] = { caught.number, inner.number };
			sum += work(numbers, 2);
		}
	}
	try {
		resource held(49);
		try {
			throw 5;
		} catch (int number) {
			sum += number;
			throw;
		}
	} catch (int) {
		for (int i = 0; i < 2; i++)
			sum++;
	}
	return sum;
}

int called_back(int number, void *sum)
{
	resource held(50 + number);

	for (int i = 0; i < 2; i++)
		*static_cast<int *>(sum) += held.number;
	return 0;
}

pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER;

struct locked {
	locked() { take_lock(&lock_a); }
	~locked() { drop_lock(&lock_a); }
};

NOINLINE int locks()
{
	int sum = 0;

	for (int i = 0; i < 2; i++) {
		locked guard;
		call_back(called_back, 2, &sum);
	}
	return sum;
}

// C's cleanups in C++.
void drop_number(int *number)
{
	for (int i = 0; i < 1; i++)
		release(*number);
}

NOINLINE int attribute()
{
	__attribute__((cleanup(drop_number))) int held = acquire(55);
	resource other(56);
	int numbers[2] = { held, other.number };

	return work(numbers, 2);
}

template <typename T> struct array_of {
	T items[2] = { T(57), T(58) };
};

NOINLINE int arrays()
{
	array_of<resource> list;
	auto *heap = new array_of<resource>;
	std::unique_ptr<array_of<resource>> owner(heap);
	int numbers[2] = { list.items[0].number, owner->items[1].number };

	return work(numbers, 2);
}

} // namespace

void entry(void)
{
	volatile int result;

	result = nested(0);
	result = destructors();
	result = owners();
	result = containers();
	result = exceptions(2);
	result = locks();
	result = attribute();
	result = arrays();
	(void)result;
}
