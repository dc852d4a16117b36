/* Prints what level I says of each frame, relative to the module and to the stack, at several places: deep calls,
 * calls through libc, signal handlers, alternate stacks, C++-like tables. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

struct dwarf_eh_bases { void *tbase, *dbase, *func; };
extern const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

struct walk { int frames, stop_at; uintptr_t first_cfa; };

static void place(const char *what, uintptr_t pc)
{
	struct dl_find_object object;

	if (pc == 0)
		printf(" %s 0", what);
	else if (_dl_find_object((void *)pc, &object) == 0)
		printf(" %s %s+%lx", what, strrchr(object.dlfo_link_map->l_name, '/') ?: "program",
		       (unsigned long)(pc - (uintptr_t)object.dlfo_map_start));
	else
		printf(" %s outside", what);
}

/* Words of the stack are told from the first frame, code from its module; others are numbers of the program's. Where a
 * thread's control block lies behind its stack depends on the libraries' thread-local variables. */
static void value(const char *what, struct walk *walk, uintptr_t word)
{
	intptr_t distance = (intptr_t)(word - walk->first_cfa);
	uintptr_t in_thread = word - (uintptr_t)pthread_self();
	struct dl_find_object object;

	if (in_thread < 4096) /* glibc 2.41 keeps the address of a member in a register */
		printf(" %s thread+%lu", what, (unsigned long)in_thread);
	else if (distance > -(1 << 16) && distance < (1 << 16))
		printf(" %s cfa%+ld", what, (long)distance);
	else if (_dl_find_object((void *)word, &object) == 0)
		place(what, word);
	else if (word < 256)
		printf(" %s %lx", what, (unsigned long)word);
	else
		printf(" %s *", what);
}

static void describe_fde(uintptr_t pc, int before)
{
	struct dwarf_eh_bases bases = { 0 };
	const void *fde = _Unwind_Find_FDE((void *)(pc - !before), &bases);

	place("fde", (uintptr_t)fde);
	if (fde) {
		printf(" %p %p", bases.tbase, bases.dbase);
		place("func", (uintptr_t)bases.func);
	}
	place("enclosing", (uintptr_t)_Unwind_FindEnclosingFunction((void *)pc));
}

static _Unwind_Reason_Code print_frame(struct _Unwind_Context *context, void *argument)
{
	static const int saved[] = { 3, 6, 12, 13, 14, 15 };
	struct walk *walk = argument;
	int before = -1;
	uintptr_t ip = _Unwind_GetIPInfo(context, &before), cfa = _Unwind_GetCFA(context);

	if (walk->frames == 0)
		walk->first_cfa = cfa;
	printf("#%d%s", walk->frames, before ? " before" : "");
	place("ip", ip);
	if (!_Unwind_Find_FDE((void *)(ip - !before), &(struct dwarf_eh_bases){ 0 })) {
		printf(" end\n");
		return _URC_NO_REASON;
	}
	printf(" same %d", ip == _Unwind_GetIP(context));
	value("cfa", walk, cfa);
	place("region", _Unwind_GetRegionStart(context));
	place("lsda", (uintptr_t)_Unwind_GetLanguageSpecificData(context));
	printf(" bases %lx %lx", _Unwind_GetTextRelBase(context), _Unwind_GetDataRelBase(context));
	for (unsigned i = 0; i < sizeof saved / sizeof saved[0]; i++)
		value("r", walk, _Unwind_GetGR(context, saved[i]));
	describe_fde(ip, before);
	printf("\n");
	return ++walk->frames == walk->stop_at ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

__attribute__((noinline)) static void show(const char *title, int stop_at)
{
	struct walk walk = { .stop_at = stop_at };

	printf("%s\n", title);
	/* The second walk finds what the first has left behind. */
	for (int i = 0; i < 2; i++) {
		walk.frames = 0;
		int code = _Unwind_Backtrace(print_frame, &walk);
		printf("code %d, frames %d\n", code, walk.frames);
	}
}

static void gone(int *number) { *number = 0; }

__attribute__((noinline)) static int deep(int depth, const char *title)
{
	__attribute__((cleanup(gone))) int number = depth;
	volatile char space[depth * 16 + 16];

	space[depth] = 1;
	if (depth == 0)
		show(title, 0);
	else
		deep(depth - 1, title);
	return number + space[depth];
}

static int compare(const void *a, const void *b)
{
	static int calls;

	if (calls++ == 3)
		show("in qsort", 0);
	return *(const int *)a - *(const int *)b;
}

static void handler(int signal)
{
	show(signal == SIGSEGV ? "in a fault handler" : "in a handler", 0);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	handler(signal);
	uc->uc_mcontext.gregs[REG_RIP] += uc->uc_mcontext.gregs[REG_RIP] ? 2 : 0;
}

/* The fault is on the first instruction: its pc minus 1 is another function's. */
__asm__(".text\n.p2align 4\n.type before_fault,@function\nbefore_fault:\n.cfi_startproc\nsubq $24,%rsp\n.cfi_adjust_cfa_offset 24\n"
	"call abort@plt\n.cfi_endproc\n.size before_fault, .-before_fault\n"
	".type fault_first,@function\nfault_first:\n.cfi_startproc\n.byte 0x8b, 0x07\nret\n.cfi_endproc\n"
	".size fault_first, .-fault_first\n");
extern int fault_first(int *from);

static void *in_thread(void *argument)
{
	deep(2, argument);
	return NULL;
}

/* On a stack that is the same each time: where the kernel puts a signal's frame depends on the stack's alignment. */
static ucontext_t home, away;
static void elsewhere(void)
{
	static char signal_space[512 << 10];
	stack_t alternate = { .ss_sp = signal_space, .ss_size = sizeof signal_space };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	deep(1, "on another stack");
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	sigaction(SIGSEGV, &action, NULL);
	fault_first(NULL);
	action.sa_flags |= SA_ONSTACK;
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	fault_first(NULL);
	swapcontext(&away, &home);
}

int main(void)
{
	static char space[512 << 10] __attribute__((aligned(4096)));
	int values[] = { 3, 1, 2, 5, 4, 9, 8 };
	pthread_t thread;

	show("plain", 0);
	show("stopped", 2);
	deep(20, "deep");
	qsort(values, 7, sizeof values[0], compare);
	pthread_create(&thread, NULL, in_thread, "in a thread");
	pthread_join(thread, NULL);
	getcontext(&away);
	away.uc_stack.ss_sp = space;
	away.uc_stack.ss_size = sizeof space;
	away.uc_link = NULL;
	makecontext(&away, elsewhere, 0);
	swapcontext(&home, &away);
	for (uintptr_t pc = (uintptr_t)main - 64; pc < (uintptr_t)main + 64; pc++) {
		describe_fde(pc, 1);
		printf("\n");
	}
	describe_fde(1, 0);
	describe_fde((uintptr_t)space, 0);
	printf("\n");
	return 0;
}
