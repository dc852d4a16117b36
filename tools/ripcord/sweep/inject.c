/* SPDX-License-Identifier: MIT
 * inject: stopping the guest at an instruction, in a copy of the process. Async-signal-safe. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <Zydis/Zydis.h>

#include "../audit/audit.h"
#include "ripcord/fault.h"
#include "ripcord/step.h"
#include "sweep.h"

enum { FLAG_TRAP = SWEEP_FLAG_TRAP, TRAP_PAGE_FAULT = 14, PAGE_FAULT_USER = 4, BAD_ADDRESS = 0x52 };

/* --- What an instruction can do --- */

/* Of a ucontext; -1: none of those. */
static int register_of(ZydisRegister reg)
{
	static const int8_t numbers[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
					    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

	return reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15 ? numbers[reg - ZYDIS_REGISTER_RAX] : -1;
}

/* A push's own operand is hidden, and lies below what rsp says. */
static void note_access(struct sweep_site *site, const ZydisDecodedOperand *operand)
{
	const ZydisDecodedOperandMem *memory = &operand->mem;
	int base = register_of(memory->base);

	if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || memory->type != ZYDIS_MEMOP_TYPE_MEM || base < 0 ||
	    (operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && base == REG_RSP) ||
	    memory->segment == ZYDIS_REGISTER_FS || memory->segment == ZYDIS_REGISTER_GS ||
	    site->accesses == SWEEP_ACCESSES)
		return;
	site->access[site->accesses].base = (int8_t)base;
	site->access[site->accesses].index = (int8_t)register_of(memory->index);
	site->access[site->accesses].scale = memory->scale;
	site->access[site->accesses++].offset = (int32_t)memory->disp.value;
}

static uint8_t signal_of(const ZydisDecodedInstruction *insn)
{
	if (insn->mnemonic == ZYDIS_MNEMONIC_DIV || insn->mnemonic == ZYDIS_MNEMONIC_IDIV)
		return SIGFPE;
	return insn->mnemonic == ZYDIS_MNEMONIC_UD2 ? SIGILL : SIGSEGV;
}

static void decode(struct sweep_site *site, uintptr_t pc, size_t size)
{
	ZydisDecoder decoder;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, (const void *)pc, size, &insn, operands)))
		return;
	site->signal = signal_of(&insn);
	site->repeats = insn.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
	if (insn.mnemonic == ZYDIS_MNEMONIC_PUSH || insn.mnemonic == ZYDIS_MNEMONIC_PUSHFQ ||
	    insn.mnemonic == ZYDIS_MNEMONIC_CALL)
		site->pushes = (uint8_t)(insn.operand_width / 8);
	for (unsigned i = 0; i < insn.operand_count; i++)
		note_access(site, &operands[i]);
}

struct sweep_site sweep_site_of(uintptr_t pc, uintptr_t code_end)
{
	size_t size = code_end - pc < 15 ? code_end - pc : 15;
	struct audit_insn insn = audit_decode((const uint8_t *)pc, size, pc);
	struct sweep_site site = { .known = true, .length = insn.length, .signal = SIGSEGV };

	if (insn.op != OP_NOP)
		decode(&site, pc, size);
	site.can_fault = insn.fault == FAULT_ANY;
	site.through_rbp = insn.through_rbp && insn.op != OP_LEAVE;
	site.calls = insn.op == OP_CALL;
	return site;
}

uintptr_t sweep_lowest_access(const struct sweep_site *site, const void *ucontext, uintptr_t end)
{
	const greg_t *reg = ((const ucontext_t *)ucontext)->uc_mcontext.gregs;
	uintptr_t lowest = site->pushes ? (uintptr_t)reg[REG_RSP] - site->pushes : UINTPTR_MAX;

	for (unsigned i = 0; i < site->accesses && !(site->repeats && reg[REG_RCX] == 0); i++) {
		uintptr_t at = (uintptr_t)reg[site->access[i].base] + (uintptr_t)(intptr_t)site->access[i].offset;
		if (site->access[i].index >= 0)
			at += (uintptr_t)reg[site->access[i].index] * site->access[i].scale;
		if (at >= end && at < lowest)
			lowest = at;
	}
	return lowest < end ? UINTPTR_MAX : lowest;
}

/* --- Stops --- */

/* As the kernel reports it. */
static bool fault(int signal, uintptr_t address, void *ucontext)
{
	ucontext_t *context = ucontext;
	siginfo_t info = { .si_signo = signal };

	info.si_code = signal == SIGFPE ? FPE_INTDIV : signal == SIGILL ? ILL_ILLOPN : SEGV_MAPERR;
	info.si_addr = (void *)(signal == SIGSEGV ? address : (uintptr_t)context->uc_mcontext.gregs[REG_RIP]);
	context->uc_mcontext.gregs[REG_TRAPNO] = signal == SIGSEGV ? TRAP_PAGE_FAULT : 0;
	context->uc_mcontext.gregs[REG_ERR] = PAGE_FAULT_USER;
	return rip_handle_signal(signal, &info, context);
}

static uint8_t *last_page; /* which the stack ends above */
static bool overflowed;    /* there */

/* At a true end, what lies above the stack pointer would not be in a closed page. When the guest is over, its reserve is
 * closed, and that page with it: what still runs on this stack then, such as exit handlers, has all of it. */
static void on_overflow(int signal, siginfo_t *info, void *ucontext)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	bool again = overflowed && (uintptr_t)info->si_addr - (uintptr_t)last_page < page;
	int error = errno;

	mprotect(last_page, page, PROT_READ | PROT_WRITE);
	overflowed = true;
	if (!again && !rip_handle_signal(signal, info, ucontext))
		sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	errno = error;
}

/* The instruction goes there and faults: the kernel does the rest. */
static bool overflow(ucontext_t *context, uintptr_t deepest)
{
	struct sigaction action = { .sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	last_page = (uint8_t *)(deepest & ~(page - 1));
	context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)FLAG_TRAP;
	return rip_step_overflow(deepest) && sigaction(SIGSEGV, &action, NULL) == 0;
}

bool sweep_has_overflowed(void)
{
	return overflowed;
}

static void call_exit(void)
{
	rip_exit(0);
}

/* In the place of the call that stands there. */
static bool exit_by_call(const struct sweep_site *site, ucontext_t *context)
{
	greg_t *reg = context->uc_mcontext.gregs;

	reg[REG_RSP] -= 8;
	*(uint64_t *)reg[REG_RSP] = (uint64_t)reg[REG_RIP] + site->length;
	reg[REG_RIP] = (greg_t)(uintptr_t)call_exit;
	reg[REG_EFL] &= ~(greg_t)FLAG_TRAP;
	return true;
}

bool sweep_stop(enum sweep_kind kind, const struct sweep_site *site, uintptr_t deepest, void *ucontext)
{
	switch (kind) {
	case SWEEP_KILL:
		return rip_step_kill(ucontext);
	case SWEEP_FAULT:
		return fault(site->signal, BAD_ADDRESS, ucontext);
	case SWEEP_OVERFLOW:
		return overflow(ucontext, deepest);
	case SWEEP_EXIT:
		return exit_by_call(site, ucontext);
	case SWEEP_END:
		break;
	}
	return true;
}

/* --- Copies --- */

/* SIGKILL: the guest can neither block nor catch it. */
void sweep_limit_time(uint64_t ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) } };
	int timer;

	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) == 0)
		syscall(SYS_timer_settime, timer, 0, &when, NULL);
}

static void reopen(int fd)
{
	char path[40] = "/proc/self/fd/", digits[12];
	int flags = fcntl(fd, F_GETFL), left = fd;
	off_t at = lseek(fd, 0, SEEK_CUR);
	unsigned count = 0;

	do
		digits[count++] = (char)('0' + left % 10);
	while (left /= 10);
	for (char *to = path + strlen(path); count; to++)
		*to = digits[--count];
	int own = open(path, flags | O_CLOEXEC);
	if (own < 0)
		return;
	lseek(own, at, SEEK_SET);
	dup3(own, fd, fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0);
	close(own);
}

/* A descriptor that was copied by fork() shares its position with the original. */
void sweep_separate_files(int kept)
{
	struct stat about;

	for (int fd = 3, closed = 0; closed < 64 && fd < 1024; fd++) {
		if (fstat(fd, &about) != 0)
			closed++;
		else if (S_ISREG(about.st_mode) && fd != kept)
			reopen(fd);
	}
}
