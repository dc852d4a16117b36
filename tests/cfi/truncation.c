/* SPDX-License-Identifier: MIT
 * truncation: valid tables cut at every byte, right before a page that may not be read. */
#include "cfi/cfi.h"
#include "table_builder.h"
#include "tap.h"

static struct tb_guarded guard;

/* One of each: 32- and 64-bit records, a personality, LSDAs, expressions, long operands, states. */
static struct table build_section(void)
{
	struct table t = { .size = 0 };
	struct tb_cie plain = tb_usual_cie(), rich = tb_usual_cie();
	struct tb_fde fde = { .range = tb_range4(0x4000, 0x80), .augmentation = TB(0) };
	fde.instructions = TB(0x41, 0x0e, 16, 0x86, 2, 0x0a, 0x43, 0x0d, 6, 0x02, 9, 0x0b);
	fde.cie = tb_cie(&t, &plain);
	tb_fde(&t, &fde);
	rich.version = 4;
	rich.eh_data = TB(8, 0);
	rich.augmentation = "zPLR";
	rich.augmentation_data = TB(0x9b, 1, 2, 3, 4, 0x1b, 0x03);
	rich.wide = fde.wide = true;
	fde.cie = tb_cie(&t, &rich);
	fde.augmentation = TB(4, 5, 6, 7, 8);
	fde.instructions = TB(0x0f, 3, 0x77, 8, 6, 0x10, 3, 2, 0x77, 0, 0x04, 2, 0, 0, 0, 0x16, 6, 1, 0x30,
			      0x05, 12, 0x80, 1, 0x1d, 3, 0, 0, 0, 0, 0, 0, 0, 0x2e, 0x90, 1);
	fde.range = tb_range4(0x5000, 0x80);
	tb_fde(&t, &fde);
	tb_u32(&t, 0);
	return t;
}

/* Rows at every pc of the FDE, for the sake of the reads. */
static void touch_rows(const struct rip_fde *fde)
{
	struct rip_cfi_row row;
	for (uint64_t pc = fde->pc_begin; pc < fde->pc_end; pc++)
		rip_cfi_row_at(fde, pc, &row);
}

static int walk(struct rip_bytes bytes, rip_status *last_ret)
{
	struct rip_cfi_section section = { .bytes = bytes };
	struct rip_fde fde;
	uint64_t offset = 0;
	int count = 0;
	while ((*last_ret = rip_fde_next(&section, &offset, &fde)) == RIP_OK) {
		touch_rows(&fde);
		count++;
	}
	return count;
}

static void test_section(void)
{
	struct table t = build_section();
	int wrong = 0, shorter = 0;
	rip_status last;
	tap_equal(walk(tb_guarded_copy(&guard, &t, t.size), &last), 2, "the whole section has two FDEs");
	for (size_t size = 0; size < t.size - 4; size++) {
		int count = walk(tb_guarded_copy(&guard, &t, size), &last);
		wrong += last != RIP_E_TRUNCATED && last != RIP_E_END;
		shorter += count < 2;
	}
	tap_equal(wrong, 0, "each cut is TRUNCATED or a clean end");
	tap_equal(shorter, (long long)t.size - 4, "and loses an FDE, the terminator apart");
}

/* Here the record is whole and its own length is cut instead. */
static void test_record_lengths(void)
{
	struct table t = { .size = 0 };
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = { .range = tb_range4(0x4000, 0x80), .augmentation = TB(0) };
	size_t offset, length, failed = 0;
	fde.instructions = TB(0x0f, 3, 0x77, 8, 6, 0x05, 12, 0x80, 1, 0x04, 2, 0, 0, 0);
	fde.cie = tb_cie(&t, &cie);
	offset = tb_fde(&t, &fde);
	length = t.size - offset - 4;
	for (size_t cut = 0; cut < length; cut++) {
		struct rip_cfi_section section = { 0 };
		struct rip_fde got;
		struct rip_cfi_row row;
		tb_patch(&t, offset, cut, 4);
		section.bytes = tb_guarded_copy(&guard, &t, offset + 4 + cut);
		if (rip_fde_at(&section, offset, &got) != RIP_OK)
			failed++;
		else
			rip_cfi_row_at(&got, got.pc_end - 1, &row);
	}
	tap_equal((long long)failed, 13, "a record needs its id, range and augmentation");
}

static void test_instructions(void)
{
	struct table program = TB(0x0f, 3, 0x77, 8, 6, 0x10, 3, 2, 0x77, 0, 0x04, 2, 0, 0, 0, 0x16, 6, 1, 0x30,
				  0x05, 12, 0x80, 1, 0x03, 3, 0, 0x2f, 3, 0x85, 0, 0x15, 6, 0xff, 0);
	int wrong = 0;
	for (size_t size = 0; size <= program.size; size++) {
		struct rip_fde fde = { .pc_begin = 1, .pc_end = 100 };
		struct rip_cfi_row row;
		rip_status status;
		fde.cie.code_align = 1;
		fde.cie.data_align = -8;
		fde.instructions = tb_guarded_copy(&guard, &program, size);
		status = rip_cfi_row_at(&fde, 99, &row);
		wrong += status != RIP_OK && status != RIP_E_TRUNCATED && !(size == 0 && status == RIP_E_CFA_OP);
	}
	tap_equal(wrong, 0, "instructions cut anywhere are TRUNCATED or fewer");
}

static void test_header(void)
{
	struct table t = TB(1, 0x1b, 0x03, 0x3b, 0x00, 0x01, 0, 0, 2, 0, 0, 0);
	struct rip_cfi_header header;
	int wrong = 0;
	for (int i = 0; i < 4; i++)
		tb_u32(&t, 0x100);
	for (size_t size = 0; size <= t.size; size++) {
		struct rip_bytes bytes = tb_guarded_copy(&guard, &t, size);
		rip_status status = rip_cfi_header_read(&bytes, &header);
		wrong += status != (size == t.size ? RIP_OK : RIP_E_TRUNCATED);
	}
	tap_equal(wrong, 0, "a header cut anywhere is TRUNCATED");
}

int main(void)
{
	guard = tb_guarded_create();
	test_section();
	test_record_lengths();
	test_instructions();
	test_header();
	tb_guarded_destroy(&guard);
	tap_done();
}
