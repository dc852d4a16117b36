# SPDX-License-Identifier: MIT
# Guests whose module has lost its tables, headers or code (its file became shorter, pages were unmapped or closed, or hold
# garbage): faults and kills in it end in a report with abandoned frames, and the process goes on.
. tests/tap.bash

cat > "$work/guest.c" <<'END'
static volatile int released;
static void release(int *unused) { (void)unused; released = released + 1; }
static int *volatile nowhere;
static volatile unsigned long spins;
int faults(void *unused) { int a __attribute__((cleanup(release))) = 1; (void)unused; *nowhere = 1; return a; }
int spins_on(void *unused) { int a __attribute__((cleanup(release))) = 1; (void)unused; for (;;) spins = spins + 1; return a; }
END
cat > "$work/host.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "ripcord/ripcord.h"

enum { PAGE = 4096 };

static int ignore(void *context, const char *text, size_t size)
{
	(void)context, (void)text, (void)size;
	return 0;
}

/* The segments of the module, and the one that holds its tables: the last that can only be read. */
struct parts { const char *name; uintptr_t base, tables; size_t tables_size, headers_size; };

static int find(struct dl_phdr_info *info, size_t size, void *context)
{
	struct parts *parts = context;

	(void)size;
	if (!strstr(info->dlpi_name, parts->name))
		return 0;
	parts->base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_W | PF_X)))
			continue;
		parts->tables = info->dlpi_addr + segment->p_vaddr;
		parts->tables_size = segment->p_memsz;
		if (segment->p_offset == 0)
			parts->headers_size = segment->p_memsz;
	}
	return 1;
}

static void fill(uintptr_t at, size_t size, unsigned seed)
{
	srand(seed);
	mprotect((void *)(at & -(uintptr_t)PAGE), (size + 2 * PAGE) & -(size_t)PAGE, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < size; i += seed % 2 ? 1 : 1 + (size_t)rand() % 40)
		((char *)at)[i] = (char)rand();
}

static int shorten(const char *file, long size)
{
	int fd = open(file, O_RDWR);
	return fd < 0 || ftruncate(fd, size) != 0;
}

static void damage(const char *how, const char *file, const struct parts *parts)
{
	if (!strcmp(how, "empty"))
		shorten(file, 0);
	else if (!strcmp(how, "shorter"))
		shorten(file, PAGE);
	else if (!strcmp(how, "unmapped"))
		munmap((void *)parts->tables, PAGE);
	else if (!strcmp(how, "closed"))
		mprotect((void *)parts->tables, PAGE, PROT_NONE);
	else if (!strcmp(how, "headless"))
		munmap((void *)parts->base, PAGE);
	else if (!strcmp(how, "closed-head"))
		mprotect((void *)parts->base, PAGE, PROT_NONE);
	else if (!strncmp(how, "head-", 5))
		fill(parts->base + 64, parts->headers_size - 64, (unsigned)atoi(how + 5));
	else
		fill(parts->tables, parts->tables_size, (unsigned)atoi(how));
}

/* Names come from the loader, which believes a module's symbols. */
static bool names;

static rip_cause run(rip_function function, int *abandoned_ret)
{
	rip_options options = { .deadline = 5000000, .grace = 50000000, .abandon_grace = 50000000 };
	rip_outcome outcome = { .cause = RIP_CAUSE_NONE };
	rip_guest *guest;

	if (rip_create(&options, &guest) != RIP_OK || rip_run(guest, function, NULL, &outcome) != RIP_OK)
		return RIP_CAUSE_NONE;
	*abandoned_ret = rip_get_report(guest)->abandoned;
	if (names)
		rip_report_text(rip_get_report(guest), NULL, ignore, NULL);
	rip_destroy(guest);
	return outcome.cause;
}

static intptr_t plain_fault(void *unused)
{
	(void)unused;
	*(volatile int *)16 = 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct parts parts = { .name = argv[1] };
	void *library = dlopen(argv[1], RTLD_NOW);
	int abandoned = 0, other = 0;

	if (!library || argc < 4 || !dl_iterate_phdr(find, &parts))
		return 1;
	rip_function function = (rip_function)dlsym(library, argv[3]);
	names = strncmp(argv[2], "head-", 5) != 0;
	if (argc > 4) /* its rows are known then */
		run(function, &other);
	damage(argv[2], argv[1], &parts);
	rip_cause cause = run(function, &abandoned);
	rip_cause second = run(plain_fault, &other);
	printf("%s %s %d, then %s %d\n", argv[3], cause == RIP_CAUSE_FAULT || cause == RIP_CAUSE_DEADLINE ? "ended" : "?",
	       abandoned, rip_cause_name(second), other);
	fflush(stdout);
	_exit(0); /* the loader would run the module's destructors */
}
END
options="-Iinclude -L$build/lib -lripcord -Wl,-rpath,$(realpath "$build/lib") -pthread -ldl"
ok "the guest is built" gcc -O1 -fexceptions -fnon-call-exceptions -shared -fPIC "$work/guest.c" -o "$work/whole.so"
ok "the host is built" gcc -std=gnu11 -O1 -fexceptions "$work/host.c" -o "$work/host" $options

# lost HOW: whatever is said of its frames, both ways of ending it work, before and after a first stop, and so does another
# guest's stop.
lost() {
	local function known got
	for function in faults spins_on; do
		for known in "" known; do
			cp "$work/whole.so" "$work/guest.so"
			got=$(timeout -s KILL 60 "$work/host" "$work/guest.so" "$1" $function $known 2>&1)
			ok "$1: $function ${known:+(known) }- $got" test "${got% [01], then fault 0}" = "$function ended"
		done
	done
}
for how in empty shorter unmapped closed headless closed-head 1 2 3 4 6 8 10 12 head-1 head-2 head-4 head-6; do
	lost $how
done
finish
