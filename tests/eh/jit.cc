// Registered tables, as JIT compilers use them: generated code with tables built by hand, exceptions thrown through
// it, the same addresses used again, FDEs that are registered alone, tables that are changed while they are registered,
// and what 16,384 objects cost. Linked with the drop-in.
#include "../tap.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <linux/perf_event.h>
#include <random>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <unwind.h>
#include <vector>

struct dwarf_eh_bases { void *tbase, *dbase, *func; };
extern "C" {
const void *_Unwind_Find_FDE(void *pc, dwarf_eh_bases *bases);
void __register_frame(void *);
void __register_frame_table(void *);
void __register_frame_info(const void *, void *);
void __register_frame_info_bases(const void *, void *, void *, void *);
void __register_frame_info_table(void *, void *);
void __register_frame_info_table_bases(void *, void *, void *, void *);
void __deregister_frame(void *);
void *__deregister_frame_info(const void *);
void *__deregister_frame_info_bases(const void *);
void __unw_add_dynamic_fde(uintptr_t);
void __unw_remove_dynamic_fde(uintptr_t);
void __unw_add_dynamic_eh_frame_section(uintptr_t);
void __unw_remove_dynamic_eh_frame_section(uintptr_t);
}

namespace {

enum { FUNCTION = 32, RETURN = 15 }; // bytes of a function; where its call returns to
typedef void (*callee)(void *);
typedef void (*generated)(callee, void *);

uint8_t *new_code(std::size_t size)
{
	void *map = mmap(nullptr, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return map == MAP_FAILED ? nullptr : static_cast<uint8_t *>(map);
}

// void f(callee, argument): calls with a frame of `words` (an odd number).
generated write_function(uint8_t *at, uint32_t words)
{
	const uint8_t code[] = {
		0x48, 0x81, 0xec, 0, 0, 0, 0, // sub $8*words, %rsp
		0x48, 0x89, 0xf8,             // mov %rdi, %rax
		0x48, 0x89, 0xf7,             // mov %rsi, %rdi
		0xff, 0xd0,                   // call *%rax
		0x48, 0x81, 0xc4, 0, 0, 0, 0, // add $8*words, %rsp
		0xc3,
	};
	uint32_t size = 8 * words;
	std::memcpy(at, code, sizeof code);
	std::memcpy(at + 3, &size, 4);
	std::memcpy(at + 18, &size, 4);
	return reinterpret_cast<generated>(at);
}

// An .eh_frame section of one CIE ("zR", absolute) and any number of FDEs.
class Section {
public:
	explicit Section(std::size_t functions = 1) : bytes(static_cast<uint8_t *>(std::calloc(1, 64 + functions * 40)))
	{
		const uint8_t cie[] = { 20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x00,
					0x0c, 7, 8, 0x90, 1, 0, 0 };
		std::memcpy(bytes, cie, sizeof cie);
		size = sizeof cie;
	}
	Section(const Section &) = delete;
	~Section() { std::free(bytes); }
	void add(const uint8_t *code, uint32_t words)
	{
		uint8_t *fde = bytes + size;
		uint64_t range[2] = { reinterpret_cast<uintptr_t>(code), FUNCTION };
		const uint8_t rest[] = { 0, 0x47 /* advance_loc 7 */, 0x0e /* def_cfa_offset */,
					 static_cast<uint8_t>((8 + 8 * words) | 0x80),
					 static_cast<uint8_t>((8 + 8 * words) >> 7), 0, 0, 0 };
		put(fde, 28);
		put(fde + 4, static_cast<uint32_t>(size + 4));
		std::memcpy(fde + 8, range, sizeof range);
		std::memcpy(fde + 24, rest, sizeof rest);
		last = fde;
		size += 32; // and a length of 0 follows, until there is another
	}
	void *begin() const { return bytes; }
	const void *last;
private:
	static void put(uint8_t *at, uint32_t value) { std::memcpy(at, &value, 4); }
	uint8_t *bytes;
	std::size_t size;
};

void thrower(void *argument) { throw *static_cast<int *>(argument); }

int catches(generated function, int number)
{
	try {
		function(thrower, &number);
	} catch (int caught) {
		return caught;
	}
	return -1;
}

// What a walk from inside the generated code finds: its pc, and that it goes on to this program.
struct Seen { uintptr_t pc; bool inside, beyond; uintptr_t region, text, data; };
_Unwind_Reason_Code look(_Unwind_Context *context, void *argument)
{
	Seen *seen = static_cast<Seen *>(argument);
	if (seen->inside)
		seen->beyond = _Unwind_GetRegionStart(context) != 0;
	if (seen->inside)
		return _URC_NORMAL_STOP;
	if (_Unwind_GetIP(context) - seen->pc == RETURN) {
		seen->inside = true;
		seen->region = _Unwind_GetRegionStart(context);
		seen->text = _Unwind_GetTextRelBase(context);
		seen->data = _Unwind_GetDataRelBase(context);
	}
	return _URC_NO_REASON;
}
void walker(void *argument) { _Unwind_Backtrace(look, argument); }
bool walks(generated function, const void *text = nullptr, const void *data = nullptr)
{
	Seen seen = { reinterpret_cast<uintptr_t>(function), false, false, 0, 0, 0 };
	function(walker, &seen);
	return seen.inside && seen.beyond && seen.region == seen.pc &&
	       seen.text == reinterpret_cast<uintptr_t>(text) && seen.data == reinterpret_cast<uintptr_t>(data);
}

// Raises an exception that nobody above can catch if the code has no table.
void raiser(void *argument)
{
	static _Unwind_Exception exception;
	std::memset(&exception, 0, sizeof exception);
	*static_cast<int *>(argument) = _Unwind_RaiseException(&exception);
}
bool ends(generated function)
{
	int code = 0;
	try {
		function(raiser, &code);
	} catch (...) {
	}
	return code == _URC_END_OF_STACK;
}

const void *find(generated function, dwarf_eh_bases *bases)
{
	return _Unwind_Find_FDE(reinterpret_cast<uint8_t *>(function) + 3, bases);
}

// Sanitizers put their own function before _Unwind_RaiseException.
void is_in_use()
{
	Dl_info info;
	tap_ok(dladdr(reinterpret_cast<const void *>(_Unwind_Find_FDE), &info) &&
		std::strstr(info.dli_fname, "libripcord-unwind.so"), "the drop-in is in use");
}

// --- Every way to register ---

long object[8], other_object[8];
char text_base, data_base;

enum Way { PLAIN, INFO, BASES, TABLE, INFO_TABLE, TABLE_BASES, WAYS };

void add(Way way, void *begin, void *table)
{
	switch (way) {
	case PLAIN: __register_frame(begin); break;
	case INFO: __register_frame_info(begin, object); break;
	case BASES: __register_frame_info_bases(begin, object, &text_base, &data_base); break;
	case TABLE: __register_frame_table(table); break;
	case INFO_TABLE: __register_frame_info_table(table, object); break;
	default: __register_frame_info_table_bases(table, object, &text_base, &data_base); break;
	}
}

void *take(Way way, void *begin, void *table)
{
	switch (way) {
	case PLAIN: __deregister_frame(begin); return nullptr;
	case INFO: return __deregister_frame_info(begin);
	case BASES: return __deregister_frame_info_bases(begin);
	case TABLE: __deregister_frame(table); return nullptr;
	case INFO_TABLE: return __deregister_frame_info(table);
	default: return __deregister_frame_info_bases(table);
	}
}

void each_way()
{
	static const char *const names[WAYS] = { "frame", "frame_info", "frame_info_bases", "frame_table",
						 "frame_info_table", "frame_info_table_bases" };
	uint8_t *code = new_code(4096);
	for (int way = 0; way < WAYS; way++) {
		bool in_table = way >= TABLE, with_bases = way == BASES || way == TABLE_BASES;
		const void *text = with_bases ? &text_base : nullptr, *data = with_bases ? &data_base : nullptr;
		bool with_object = way != PLAIN && way != TABLE;
		generated first = write_function(code, 3), second = write_function(code + FUNCTION, 101);
		Section one(2), two;
		one.add(code, 3);
		if (!in_table)
			one.add(code + FUNCTION, 101);
		two.add(code + FUNCTION, 101);
		void *table[] = { one.begin(), two.begin(), nullptr };
		dwarf_eh_bases bases = {};

		tap_ok(!find(first, &bases) && ends(first), "%s: nothing before", names[way]);
		add(static_cast<Way>(way), one.begin(), table);
		tap_ok(catches(first, 5) == 5 && catches(second, 6) == 6, "%s: thrown through", names[way]);
		tap_ok(walks(first, text, data) && walks(second, text, data), "%s: walked", names[way]);
		tap_ok(find(second, &bases) == (in_table ? two.last : one.last) &&
			bases.func == reinterpret_cast<void *>(second) &&
			bases.tbase == text && bases.dbase == data, "%s: found", names[way]);
		void *was = take(static_cast<Way>(way), one.begin(), table);
		tap_ok(was == (with_object ? object : nullptr), "%s: the object comes back", names[way]);
		tap_ok(!find(first, &bases) && !find(second, &bases) && ends(first) && ends(second),
			"%s: nothing afterwards", names[way]);
	}
	// The empty section that start files register.
	uint32_t empty = 0;
	__register_frame_info(&empty, other_object);
	tap_ok(__deregister_frame_info(&empty) == nullptr, "an empty section is not an object");
	munmap(code, 4096);
}

// --- The same address again ---

void again()
{
	uint8_t *code = new_code(4096);
	int good = 0;
	bool gone = true;
	for (int i = 0; i < 2000; i++) {
		uint32_t words = 1 + 2 * static_cast<uint32_t>(i % 61);
		generated function = write_function(code, words);
		Section section;
		section.add(code, words);
		__register_frame(section.begin());
		good += catches(function, i) == i && walks(function) && catches(function, i) == i;
		__deregister_frame(section.begin());
		if (i % 10 == 0)
			gone = gone && ends(function);
	}
	tap_equal(good, 2000, "one address, 61 layouts in turn: never the old rows");
	tap_ok(gone, "in between, no row at all");
	munmap(code, 4096);
}

// New memory at the same address, as after munmap and mmap.
void mapped_again()
{
	uint8_t *place = new_code(4096);
	int good = 0;
	for (int i = 0; i < 200; i++) {
		munmap(place, 4096);
		if (mmap(place, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) != place)
			break;
		uint32_t words = i & 1 ? 1 : 77;
		std::size_t shift = i % 3;
		generated function = write_function(place + shift, words);
		Section section;
		section.add(place + shift, words);
		__register_frame(section.begin());
		good += catches(function, i) == i && walks(function);
		__deregister_frame(section.begin());
	}
	tap_equal(good, 200, "new memory at the same address");
	munmap(place, 4096);
}

// --- FDEs that are registered alone ---

// In any order, all in one table: as LLVM's JIT compilers do beside LLVM's libunwind.
void alone(const char *name, void (*add)(void *), void (*take)(void *))
{
	enum { COUNT = 300 };
	uint8_t *code = new_code(COUNT * FUNCTION);
	Section table(COUNT);
	std::vector<std::size_t> order;
	std::vector<void *> fdes;
	std::mt19937 random{ 3 };
	for (std::size_t i = 0; i < COUNT; i++) {
		uint32_t words = 1 + 2 * static_cast<uint32_t>(i % 40);
		write_function(code + i * FUNCTION, words);
		table.add(code + i * FUNCTION, words);
		fdes.push_back(const_cast<void *>(table.last));
		order.push_back(i);
	}
	auto function = [&](std::size_t i) { return reinterpret_cast<generated>(code + i * FUNCTION); };
	auto caught = [&] {
		int good = 0;
		for (std::size_t i = 0; i < COUNT; i++)
			good += catches(function(i), 8) == 8 && walks(function(i));
		return good;
	};
	for (int round = 0; round < 3; round++) { // upwards, downwards, anyhow
		dwarf_eh_bases bases;
		if (round)
			std::reverse(order.begin(), order.end());
		if (round == 2)
			std::shuffle(order.begin(), order.end(), random);
		for (std::size_t i : order)
			add(fdes[i]);
		tap_equal(caught(), COUNT, name);
		tap_ok(find(function(7), &bases) == fdes[7], "%s: its own FDE is found", name);
		for (std::size_t i : order)
			take(fdes[i]);
		tap_ok(ends(function(0)) && ends(function(COUNT / 2)) && ends(function(COUNT - 1)), "%s: taken back", name);
	}
	// libgcc_s takes the FDEs that follow as well.
	add(fdes[100]);
	tap_ok(catches(function(100), 1) == 1 && catches(function(101), 2) == 2 && catches(function(COUNT - 1), 3) == 3,
		"%s: with those behind it", name);
	tap_ok(ends(function(99)), "%s: and none before it", name);
	take(fdes[100]);
	munmap(code, COUNT * FUNCTION);
}

// The table's end is the memory's, and the CIE is pages away, before the FDE or behind it.
void far_apart(bool behind)
{
	enum { PAGE = 4096, PAGES = 64 };
	uint8_t *code = new_code(PAGE), *map = new_code(PAGES * PAGE);
	generated function = write_function(code, 5);
	Section section;
	section.add(code, 5);
	const uint8_t *from = static_cast<const uint8_t *>(section.begin());
	uint8_t *cie = behind ? map + (PAGES - 1) * PAGE - 24 : map, *fde = behind ? map : map + (PAGES - 1) * PAGE - 32;
	std::memcpy(cie, from, 24);
	std::memcpy(fde, from + 24, 32);
	int32_t distance = static_cast<int32_t>(fde + 4 - cie);
	std::memcpy(fde + 4, &distance, 4);
	mprotect(map + (PAGES - 1) * PAGE, PAGE, PROT_NONE);
	mprotect(map + PAGE, (PAGES - 3) * PAGE, PROT_NONE);
	__register_frame(fde);
	tap_ok(catches(function, 4) == 4 && walks(function), "an FDE with its CIE %s it, unreadable memory between",
		behind ? "behind" : "before");
	__deregister_frame(fde);
	tap_ok(ends(function), "and it is taken back");
	munmap(map, PAGES * PAGE);
	munmap(code, PAGE);
}

// --- Tables that change while they are registered ---

void appended()
{
	enum { COUNT = 40 };
	uint8_t *code = new_code(COUNT * FUNCTION);
	int good = 0;
	Section table(COUNT);
	for (int i = 0; i < COUNT; i++) {
		uint8_t *at = code + i * FUNCTION;
		uint32_t words = 1 + 2 * static_cast<uint32_t>(i);
		generated function = write_function(at, words);
		good += i == 0 || ends(function);
		table.add(at, words);
		if (i == 0)
			__register_frame(table.begin());
		good += catches(function, i) == i && walks(function);
	}
	tap_equal(good, 2 * COUNT, "FDEs that are added behind the end of a registered table count from then on");
	__deregister_frame(table.begin());
	tap_ok(ends(reinterpret_cast<generated>(code)) &&
		ends(reinterpret_cast<generated>(code + (COUNT - 1) * FUNCTION)), "and go with it");
	munmap(code, COUNT * FUNCTION);
}

// Other code at the same place, or the FDE of another place: what counts is what stands there now.
void changed()
{
	uint8_t *code = new_code(4096);
	Section table(3), other(3);
	generated first = write_function(code, 3), second = write_function(code + FUNCTION, 9);
	table.add(code, 3);
	__register_frame(table.begin());
	tap_ok(catches(first, 1) == 1 && walks(first), "a function of a registered table");
	int good = 0;
	for (uint32_t words = 5; words < 105; words += 2) {
		Section now;
		write_function(code, words);
		now.add(code, words);
		std::memcpy(table.begin(), now.begin(), 56);
		good += catches(first, 2) == 2 && walks(first);
	}
	tap_equal(good, 50, "50 layouts of it, each written over the last, with its FDE");
	other.add(code + FUNCTION, 9);
	std::memcpy(table.begin(), other.begin(), 56);
	tap_ok(catches(second, 3) == 3 && walks(second), "the FDE is made another function's");
	tap_ok(ends(first), "and the first has none any more");
	std::memset(table.begin(), 0xff, 56);
	tap_ok(ends(first) && ends(second), "overwritten by what is no table");
	__deregister_frame(table.begin());
	munmap(code, 4096);
}

void unmapped()
{
	uint8_t *code = new_code(4096), *table = new_code(4096);
	generated first = write_function(code, 3), second = write_function(code + FUNCTION, 7);
	Section section, another;
	section.add(code, 3);
	another.add(code + FUNCTION, 7);
	std::memcpy(table, section.begin(), 64);
	__register_frame(table);
	__register_frame(another.begin());
	tap_equal(catches(first, 1), 1, "a table in memory of its own");
	munmap(table, 4096);
	tap_ok(ends(first), "that is unmapped while it is registered: there is no row");
	tap_ok(catches(second, 2) == 2 && ends(reinterpret_cast<generated>(write_function(code + 4 * FUNCTION, 3))),
		"others are found, and not found, as before");
	__deregister_frame(table);
	__register_frame(section.begin());
	tap_equal(catches(first, 3), 3, "registered anew");
	__deregister_frame(section.begin());
	__deregister_frame(another.begin());
	tap_ok(ends(first) && ends(second), "and taken back");
	munmap(code, 4096);
}

// --- Many ---

int counter = -1;

// Instructions of this thread in user mode; without such a counter, nanoseconds.
uint64_t cost()
{
	uint64_t value = 0;
	if (counter >= 0 && read(counter, &value, sizeof value) == sizeof value)
		return value;
	timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

void open_counter()
{
	perf_event_attr attributes;
	std::memset(&attributes, 0, sizeof attributes);
	attributes.size = sizeof attributes;
	attributes.type = PERF_TYPE_HARDWARE;
	attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
	attributes.exclude_kernel = 1;
	attributes.exclude_hv = 1;
	counter = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

struct Costs { uint64_t add, first, later, take; };
enum { MEASURED = 257 };

uint64_t median(std::vector<uint64_t> &values)
{
	std::sort(values.begin(), values.end());
	return values[values.size() / 2];
}

class Objects {
public:
	explicit Objects(std::size_t count) : count(count), code(new_code(count * FUNCTION)), sections(count)
	{
		for (std::size_t i = 0; i < count; i++)
			order.push_back(i);
		std::shuffle(order.begin(), order.end(), random);
		for (std::size_t i = 0; i < count; i++) {
			write_function(at(i), words(i));
			sections[i] = new Section;
			sections[i]->add(at(i), words(i));
		}
	}
	~Objects()
	{
		for (Section *section : sections)
			delete section;
		munmap(code, count * FUNCTION);
	}
	uint8_t *at(std::size_t i) const { return code + i * FUNCTION; }
	generated function(std::size_t i) const { return reinterpret_cast<generated>(at(i)); }
	static uint32_t words(std::size_t i) { return 1 + 2 * static_cast<uint32_t>(i % 31); }

	std::size_t count;
	uint8_t *code;
	std::vector<Section *> sections;
	std::vector<std::size_t> order;
	std::mt19937 random{ 12345 };
};

template <class F> uint64_t measure(const Objects &objects, std::size_t from, F function)
{
	std::vector<uint64_t> costs;
	for (std::size_t i = 0; i < MEASURED; i++) {
		uint64_t before = cost();
		function(objects.order[from + i]);
		costs.push_back(cost() - before);
	}
	return median(costs);
}

Costs measure_many(std::size_t count)
{
	Objects objects(count);
	Costs costs;
	dwarf_eh_bases bases;
	std::size_t wrong = 0, last = count - MEASURED;

	for (std::size_t i = 0; i < last; i++)
		__register_frame_info(objects.sections[objects.order[i]]->begin(), objects.sections[objects.order[i]]);
	costs.add = measure(objects, last, [&](std::size_t i) {
		__register_frame_info(objects.sections[i]->begin(), objects.sections[i]); });
	auto look_up = [&](std::size_t i) { wrong += find(objects.function(i), &bases) != objects.sections[i]->last; };
	costs.first = measure(objects, last, look_up);
	for (std::size_t i = 0; i < count; i++)
		look_up(i);
	costs.later = measure(objects, 0, look_up);
	tap_equal(static_cast<long long>(wrong), 0, "each object is found");
	for (std::size_t i = 0; i < count; i += 97)
		wrong += catches(objects.function(i), 4) != 4;
	tap_equal(static_cast<long long>(wrong), 0, "exceptions find theirs");
	std::shuffle(objects.order.begin(), objects.order.end(), objects.random);
	auto take_back = [&](std::size_t i) {
		wrong += __deregister_frame_info(objects.sections[i]->begin()) != objects.sections[i]; };
	costs.take = measure(objects, 0, take_back);
	for (std::size_t i = 0; i < MEASURED; i++)
		wrong += find(objects.function(objects.order[i]), &bases) != nullptr;
	for (std::size_t i = MEASURED; i < count; i++)
		take_back(objects.order[i]);
	for (std::size_t i = 0; i < count; i += 31)
		wrong += find(objects.function(i), &bases) != nullptr;
	tap_equal(static_cast<long long>(wrong), 0, "deregistered in any order");
	return costs;
}

void compare(const char *what, uint64_t few, uint64_t many)
{
	// log 16,384 / log 1,024 is 1.4. Time instead of instructions also counts the caches.
	uint64_t limit = counter >= 0 ? 2 : 6;
	tap_ok(many <= limit * few, "%s: %llu with 1,024 objects, %llu with 16,384 (%s)", what,
		static_cast<unsigned long long>(few), static_cast<unsigned long long>(many),
		counter >= 0 ? "instructions" : "ns");
}

void many()
{
	open_counter();
	measure_many(1024);
	Costs few = measure_many(1024), lots = measure_many(16384);
	compare("registering", few.add, lots.add);
	compare("first look-up", few.first, lots.first);
	compare("later look-up", few.later, lots.later);
	compare("deregistering", few.take, lots.take);
}

// --- Threads ---

void threads()
{
	Objects objects(512);
	std::atomic<bool> stop{ false };
	std::atomic<long> wrong{ 0 }, done{ 0 };
	enum { KEPT = 64 };
	for (std::size_t i = 0; i < KEPT; i++)
		__register_frame(objects.sections[i]->begin());
	std::vector<std::thread> all;
	for (int t = 0; t < 3; t++)
		all.emplace_back([&, t] {
			for (std::size_t i = static_cast<std::size_t>(t); !stop; i = (i + 7) % KEPT, done++) {
				wrong += catches(objects.function(i), 3) != 3;
				wrong += !walks(objects.function(i));
			}
		});
	std::mt19937 random{ 7 };
	std::vector<bool> there(objects.count);
	for (long changes = 0; changes < 20000 || done < 3000; changes++) {
		std::size_t i = KEPT + random() % (objects.count - KEPT);
		if (there[i])
			__deregister_frame(objects.sections[i]->begin());
		else
			__register_frame(objects.sections[i]->begin());
		there[i] = !there[i];
	}
	stop = true;
	for (std::thread &thread : all)
		thread.join();
	tap_equal(wrong, 0, "three threads throw and walk while tables come and go");
	for (std::size_t i = 0; i < objects.count; i++)
		if (i < KEPT || there[i])
			__deregister_frame(objects.sections[i]->begin());
}

} // namespace

int main()
{
	is_in_use();
	each_way();
	again();
	mapped_again();
	alone("registered one by one", __register_frame, __deregister_frame);
	alone("by LLVM's names", [](void *fde) { __unw_add_dynamic_fde(reinterpret_cast<uintptr_t>(fde)); },
	      [](void *fde) { __unw_remove_dynamic_fde(reinterpret_cast<uintptr_t>(fde)); });
	far_apart(false);
	far_apart(true);
	appended();
	changed();
	unmapped();
	many();
	threads();
	tap_done();
}
