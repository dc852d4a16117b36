// SPDX-License-Identifier: MIT
// Forks while other threads register and deregister frames: the child can do so too, finds what was registered, and throws.
// Linked with the drop-in.
#include "../patience.h"
#include "../tap.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <unwind.h>
#include <vector>

struct dwarf_eh_bases { void *tbase, *dbase, *func; };
extern "C" {
const void *_Unwind_Find_FDE(void *pc, dwarf_eh_bases *bases);
void __register_frame(void *);
void __deregister_frame(void *);
}

namespace {

enum { THREADS = 3, FORKS = 300, FUNCTION = 32, PATIENCE_S = 60 };

// An .eh_frame section of one CIE ("zR", absolute) and one FDE, of code that is never run.
struct Section {
	alignas(8) uint8_t bytes[96] = { 20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x00,
					 0x0c, 7, 8, 0x90, 1, 0, 0 };
	uint8_t code[FUNCTION];
	Section()
	{
		const uint32_t length = 24, distance = 28;
		const uint64_t range[2] = { reinterpret_cast<uintptr_t>(code), FUNCTION };
		std::memcpy(bytes + 24, &length, 4);
		std::memcpy(bytes + 28, &distance, 4);
		std::memcpy(bytes + 32, range, 16);
	}
	bool is_found()
	{
		dwarf_eh_bases bases;
		return _Unwind_Find_FDE(code + 1, &bases) == bytes + 24;
	}
};

std::atomic<bool> over;
std::atomic<unsigned long> changes;

void change_all_the_time()
{
	Section mine;

	while (!over) {
		__register_frame(mine.bytes);
		__deregister_frame(mine.bytes);
		changes++;
	}
}

bool throws()
{
	try {
		throw std::runtime_error("in the child");
	} catch (const std::runtime_error &) {
		return true;
	}
}

// That ends a child that waits for a lock which nobody will give back.
void be_the_child(Section &before)
{
	Section own;

	patience(PATIENCE_S);
	bool good = before.is_found();
	__register_frame(own.bytes);
	good &= own.is_found() && before.is_found() && throws();
	__deregister_frame(own.bytes);
	_exit(!good || own.is_found());
}

bool fork_once(Section &before)
{
	int state = -1;
	pid_t child = fork();

	if (child == 0)
		be_the_child(before);
	waitpid(child, &state, 0);
	return state == 0;
}

}

int main()
{
	std::vector<std::thread> threads;
	Section before;
	int good = 0, forks = 0;

	__register_frame(before.bytes);
	tap_ok(before.is_found(), "a registered frame");
	for (int i = 0; i < THREADS; i++)
		threads.emplace_back(change_all_the_time);
	while (changes < 1000)
		std::this_thread::yield();
	for (; forks < FORKS && good == forks; forks++)
		good += fork_once(before);
	tap_ok(good == FORKS, "%d forks while others register, %d right", forks, good);
	unsigned long seen = changes;
	while (changes == seen)
		std::this_thread::yield();
	tap_ok(true, "who registers in the parent goes on");
	over = true;
	for (std::thread &thread : threads)
		thread.join();
	__deregister_frame(before.bytes);
	tap_ok(!before.is_found(), "and all is gone");
	tap_done();
}
