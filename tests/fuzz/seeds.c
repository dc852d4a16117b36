/* SPDX-License-Identifier: MIT
 * seeds: writes the fuzzers' first inputs: usage: seeds DIRECTORY (tests/fuzz/corpus). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "table_builder.h"

static const char *root;

static void write_seed(const char *corpus, const char *name, const struct table *t)
{
	char path[1024];
	FILE *file;
	snprintf(path, sizeof(path), "%s/%s", root, corpus);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", root, corpus, name);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(t->data, 1, t->size, file) != t->size || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void write_pair(const char *name, const struct tb_cie *cie, struct tb_fde fde)
{
	struct table t = { .size = 0 };
	fde.cie = tb_cie(&t, cie);
	tb_fde(&t, &fde);
	write_seed("cfi", name, &t);
}

static void write_cfi(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = { .range = tb_range4(0x4000, 0x80), .augmentation = TB(0) };
	fde.instructions = TB(0x41, 0x0e, 16, 0x86, 2, 0x0a, 0x43, 0x0d, 6, 0x02, 9, 0x0b, 0xc6);
	write_pair("usual", &cie, fde);
	fde.instructions = TB(0x0f, 3, 0x77, 8, 6, 0x10, 3, 2, 0x77, 0, 0x04, 2, 0, 0, 0, 0x16, 6, 1, 0x30);
	write_pair("expressions", &cie, fde);
	fde.instructions = TB(0x05, 12, 0x80, 1, 0x1d, 3, 0, 0, 0, 0, 0, 0, 0, 0x2e, 0x90, 1, 0x01, 0x30, 0x40,
			      0, 0, 0x09, 3, 12, 0x2f, 3, 2, 0x14, 3, 2, 0x15, 3, 0x7e, 0x11, 3, 0x7e);
	write_pair("rare", &cie, fde);
	cie.version = 4;
	cie.eh_data = TB(8, 0);
	cie.augmentation = "zPLR";
	cie.augmentation_data = TB(0x9b, 1, 2, 3, 4, 0x1b, 0x03);
	cie.wide = fde.wide = true;
	fde.augmentation = TB(4, 5, 6, 7, 8);
	write_pair("wide", &cie, fde);
}

static void write_header(void)
{
	struct table t = TB(1, 0x1b, 0x03, 0x3b, 0x00, 0x01, 0, 0, 4, 0, 0, 0);
	for (unsigned i = 1; i <= 4; i++) {
		tb_u32(&t, 16 * i);
		tb_u32(&t, (uint32_t)-(int)(1000 * i));
	}
	write_seed("header", "usual", &t);
	t = TB(1, 0xff, 0xff, 0xff);
	write_seed("header", "empty", &t);
}

static void write_lsda(void)
{
	struct table t = TB(0xff, 0xff, 0x01, 8, 0x10, 0x10, 0, 0, 0x20, 0x10, 0x60, 0);
	write_seed("lsda", "cleanup", &t);
	t = TB(0xff, 0x03, 22, 0x01, 8, 0x10, 0x10, 0x60, 1, 0x20, 0x10, 0x70, 3, 1, 0, 2, 0x7d,
	       0, 0, 0, 0, 9, 0, 0, 0);
	write_seed("lsda", "handlers", &t);
}

/* Registers and a stack before the section; see fuzz_frame.c. */
static void write_frame(const char *name, const char *augmentation, struct table instructions)
{
	struct table t = { .size = 0 };
	struct tb_cie cie = tb_usual_cie();

	for (uint64_t i = 0; i < 17 + 32; i++)
		tb_u64(&t, i < 17 ? 64 : 0x4010 + i);
	struct table section = { .size = 0 };
	cie.augmentation = augmentation;
	struct tb_fde fde = { .cie = tb_cie(&section, &cie), .range = tb_range4(0x4000, 0x80),
			      .augmentation = TB(0), .instructions = instructions };
	tb_fde(&section, &fde);
	tb_append(&t, &section);
	write_seed("frame", name, &t);
}

static void write_frames(void)
{
	write_frame("usual", "zR", TB(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x83, 3, 0x8c, 4, 0x58, 0x0c, 7, 8));
	write_frame("rsp", "zR", TB(0x0e, 16, 0x83, 2, 0x44, 0x0e, 32, 0x8c, 3, 0x8d, 4, 0x44, 0x2e, 16));
	write_frame("expressions", "zR", TB(0x0f, 3, 0x76, 0x78, 6, 0x10, 3, 2, 0x77, 0, 0x16, 12, 2, 0x77, 8));
	write_frame("signal", "zRS", TB(0x0f, 3, 0x77, 16, 6, 0x10, 16, 2, 0x77, 8, 0x09, 7, 6));
	write_frame("end", "zR", TB(0x44, 0x07, 16, 0x44, 0x14, 7, 2, 0x09, 16, 3));
}

static void write_expression(const char *name, struct table expression)
{
	struct table t = TB(1);

	for (uint64_t i = 0; i < 17 + 8; i++)
		tb_u64(&t, i < 17 ? 0x1000 + 8 * (i % 8) : i * 3);
	tb_append(&t, &expression);
	write_seed("expr", name, &t);
}

static void write_expressions(void)
{
	write_expression("drap", TB(0x76, 0x78, 6));
	write_expression("plt", TB(0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22));
	write_expression("loop", TB(0x31, 0x1c, 0x12, 0x28, 0xfa, 0xff));
	write_expression("constants", TB(0x08, 1, 0x09, 2, 0x0a, 3, 0, 0x0b, 4, 0, 0x10, 0x80, 1, 0x11, 0x7f, 0x22, 0x1e, 0x17,
					 0x16, 0x14, 0x15, 1, 0x1b, 0x1d, 0x19, 0x20, 0x1f, 0x27, 0x21));
	write_expression("memory", TB(0x70, 0, 0x94, 4, 0x23, 8, 0x92, 3, 0, 0x06, 0xf1, 0, 1, 2, 3, 4, 5, 6, 7, 8));
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	root = argv[1];
	mkdir(root, 0777);
	write_cfi();
	write_header();
	write_lsda();
	write_frames();
	write_expressions();
	return 0;
}
