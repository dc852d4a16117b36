// The parts of the program `language`: each prints what it sees; main.cc calls them in turn.
#include <cstddef>

struct Noisy { // says when it goes
	explicit Noisy(int number) : number(number) {}
	Noisy(const Noisy &) = delete;
	~Noisy();
	int number;
};

struct Counted { // counts itself
	Counted() { alive++; }
	Counted(const Counted &) { alive++; }
	~Counted() { alive--; }
	static int alive;
};

void throws();
void shapes();
void c_frames();
void specifications();

extern "C" {
// In c_frames.c, which C compiles with -fexceptions.
void call_with_cleanup(void (*function)(void *), void *argument, int depth);
void call_pushed_few(void (*function)(void *), void *argument);
void call_pushed_many(void (*function)(void *), void *argument);
void catch_in_c(void);
extern int c_cleanups;
void raise_foreign(int cleanup_says);
void sort_with(int (*compare)(const void *, const void *));
}
