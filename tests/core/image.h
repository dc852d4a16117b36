/* SPDX-License-Identifier: MIT
 * The test program as an image for rip_port_use, and a signal's registers in the core's order. */
#ifndef IMAGE_H
#define IMAGE_H

#include <elf.h>
#include <link.h>
#include <ucontext.h>

#include "ripcord/core.h"

static const int numbers[RIP_CORE_REGISTERS] = {
	REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10, REG_R11,
	REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
};

static rip_port_image image;

/* Of the first module, the program: from the first segment to the last. A page between two may be missing, but no table
 * leads there. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size, (void)unused;
	image.code.begin = UINT64_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uint64_t begin = info->dlpi_addr + segment->p_vaddr, end = begin + segment->p_memsz;
		if (segment->p_type == PT_GNU_EH_FRAME)
			image.eh_frame_hdr = (rip_port_range){ begin, end };
		if (segment->p_type == PT_NOTE && (image.notes.begin == 0 || end - begin > image.notes.end - image.notes.begin))
			image.notes = (rip_port_range){ begin, end };
		if (segment->p_type != PT_LOAD)
			continue;
		image.code.begin = begin < image.code.begin ? begin : image.code.begin;
		image.code.end = end > image.code.end ? end : image.code.end;
	}
	return 1;
}

static void find_program(void)
{
	dl_iterate_phdr(look_at_program, NULL);
}

#endif
