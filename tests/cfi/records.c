/* SPDX-License-Identifier: MIT
 * records: CIEs and FDEs of every version and augmentation, the walk, and damaged ones. */
#include "cfi/cfi.h"
#include "table_builder.h"
#include "tap.h"

static struct rip_cfi_section section_of(const struct table *t)
{
	return (struct rip_cfi_section){ tb_view(t), { 0x1000, 0x2000, 0 } };
}

/* A table of one CIE and one FDE. It stays until the next call, since decoded values borrow it. */
static rip_status decode(const struct tb_cie *cie, struct tb_fde fde, struct rip_fde *fde_ret)
{
	static struct table t;
	struct rip_cfi_section section;
	size_t offset;
	t.size = 0;
	fde.cie = tb_cie(&t, cie);
	offset = tb_fde(&t, &fde);
	section = section_of(&t);
	return rip_fde_at(&section, offset, fde_ret);
}

static struct tb_fde usual_fde(void)
{
	return (struct tb_fde){ .range = tb_range4(0x4000, 0x80), .augmentation = TB(0),
				.instructions = TB(0x41) };
}

static struct tb_fde bare_fde(void)
{
	struct tb_fde fde = { .range = TB(0x00, 0x40, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0) };
	return fde;
}

static void expect(const struct tb_cie *cie, const struct tb_fde *fde, rip_status status, const char *name)
{
	struct rip_fde got;
	tap_equal(decode(cie, *fde, &got), status, name);
}

static void test_usual(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct rip_fde got;
	tap_equal(decode(&cie, usual_fde(), &got), RIP_OK, "GCC's usual pair");
	tap_ok(got.pc_begin == 0x4000 && got.pc_end == 0x4080, "its range");
	tap_ok(got.cie.version == 1 && got.cie.has_augmentation && !got.cie.signal_frame, "its CIE");
	tap_ok(got.cie.code_align == 1 && got.cie.data_align == -8, "its factors");
	tap_ok(got.cie.return_register == 16 && got.cie.fde_encoding == 0x03, "its registers");
	tap_ok(got.cie.lsda_encoding == RIP_PE_OMIT && got.lsda.value == 0, "no LSDA");
	tap_ok(got.instructions.size == 1 && got.instructions.data[0] == 0x41, "its instructions");
	tap_ok(got.cie.instructions.size == 5, "its CIE's instructions");
	tap_equal((long long)got.address, TB_ADDRESS + 22, "its address");
	tap_ok(got.bases.data == 0x2000 && got.bases.function == 0x4000, "its bases");
}

static void test_versions(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	struct rip_fde got;
	cie.version = 3;
	cie.return_register = 200; /* two bytes as a LEB128 */
	tap_equal(decode(&cie, fde, &got), RIP_OK, "version 3");
	tap_equal((long long)got.cie.return_register, 200, "its return register is a LEB128");
	cie.version = 1;
	tap_equal(decode(&cie, fde, &got), RIP_OK, "version 1");
	tap_equal((long long)got.cie.return_register, 200, "its return register is a byte");
	cie.version = 4;
	cie.eh_data = TB(8, 0);
	tap_equal(decode(&cie, fde, &got), RIP_OK, "version 4");
	tap_ok(got.cie.version == 4 && got.cie.code_align == 1, "its factors follow the sizes");
	cie.eh_data = TB(4, 0);
	expect(&cie, &fde, RIP_E_CIE, "addresses of 4 bytes");
	cie.eh_data = TB(8, 4);
	expect(&cie, &fde, RIP_E_CIE, "segment selectors");
	cie = tb_usual_cie();
	for (unsigned version = 0; version < 256; version++) {
		cie.version = (uint8_t)version;
		if (version != 1 && version != 3 && version != 4 && decode(&cie, fde, &got) != RIP_E_CIE)
			break;
		if (version == 255)
			tap_ok(true, "all other versions are refused");
	}
}

/* The letters in the order in which GCC writes them, and what comes with each. */
static void test_letters(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	struct rip_fde got;
	cie.augmentation = "zPLRSB";
	cie.augmentation_data = TB(0x03, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x03);
	fde.augmentation = TB(4, 0x10, 0, 0, 0);
	tap_equal(decode(&cie, fde, &got), RIP_OK, "zPLRSB");
	tap_equal((long long)got.cie.personality.value, 0x12345678, "P: the personality");
	tap_equal(got.cie.lsda_encoding, 0x1b, "L: the LSDA's encoding");
	tap_equal(got.cie.fde_encoding, 0x03, "R: the range's encoding");
	tap_ok(got.cie.signal_frame, "S: a signal frame");
	tap_equal((long long)got.lsda.value,
		  (long long)(got.instructions.address - 4 + 0x10), "the LSDA's address, pcrel");
	cie.augmentation_data.data[0] = 0x9b;
	tap_equal(decode(&cie, fde, &got), RIP_OK, "an indirect personality");
	tap_ok(got.cie.personality.indirect, "is not followed");
	fde.augmentation = TB(4, 0, 0, 0, 0);
	tap_equal(decode(&cie, fde, &got), RIP_OK, "an LSDA pointer of 0");
	tap_equal((long long)got.lsda.value, 0, "is no LSDA");
	fde.augmentation = TB(3, 0, 0, 0);
	expect(&cie, &fde, RIP_E_TRUNCATED, "an LSDA pointer longer than its augmentation");
	fde.augmentation = TB(0x7f, 0, 0, 0, 0);
	expect(&cie, &fde, RIP_E_TRUNCATED, "an augmentation longer than its FDE");
}

static void test_letters_without_z(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = bare_fde();
	struct rip_fde got;
	cie.augmentation = "";
	cie.augmentation_data.size = 0;
	tap_equal(decode(&cie, fde, &got), RIP_OK, "no augmentation");
	tap_ok(got.pc_begin == 0x4000 && got.pc_end == 0x4080, "the range is absolute, 8 bytes each");
	cie.augmentation = "eh";
	cie.eh_data = TB(1, 2, 3, 4, 5, 6, 7, 8);
	tap_equal(decode(&cie, fde, &got), RIP_OK, "eh, GCC 2");
	tap_ok(got.cie.data_align == -8 && got.cie.return_register == 16, "its factors follow its data");
	cie.eh_data.size = 0;
	cie.augmentation = "LR";
	cie.augmentation_data = TB(0x02, 0x03);
	fde.range = tb_range4(0x4000, 0x80);
	fde.augmentation = TB(0x34, 0x12);
	fde.instructions = TB(0x42);
	tap_equal(decode(&cie, fde, &got), RIP_OK, "LR without z");
	tap_equal((long long)got.lsda.value, 0x1234, "the LSDA follows without a length");
	tap_equal(got.instructions.data[0], 0x42, "then the instructions");
	cie.augmentation = "Q";
	expect(&cie, &fde, RIP_E_CIE, "an unknown letter without z");
}

static void test_unknown_letters(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	struct rip_fde got;
	cie.augmentation = "zRQS";
	cie.augmentation_data = TB(0x03, 0xaa, 0xbb);
	tap_equal(decode(&cie, fde, &got), RIP_OK, "an unknown letter's data are passed over");
	tap_ok(got.cie.signal_frame, "letters without data count behind it");
	tap_equal(got.cie.instructions.data[0], 0x0c, "the instructions follow the augmentation");
	cie.augmentation = "zQR";
	expect(&cie, &fde, RIP_E_CIE, "R behind an unknown letter");
	cie.augmentation = "zRQL";
	expect(&cie, &fde, RIP_E_CIE, "L behind an unknown letter");
	cie.augmentation = "zRQP";
	expect(&cie, &fde, RIP_E_CIE, "P behind an unknown letter");
	cie.augmentation = "zR";
	cie.augmentation_data.size = 0;
	expect(&cie, &fde, RIP_E_TRUNCATED, "R with no augmentation data");
}

static void test_ranges(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	struct rip_fde got;
	cie.augmentation_data = TB(0x1b);
	tap_equal(decode(&cie, fde, &got), RIP_OK, "a pcrel range");
	tap_ok(got.pc_begin == got.address + 8 + 0x4000 && got.pc_end - got.pc_begin == 0x80,
	       "counts its start from the field, its length from nothing");
	fde.range = tb_range4(0x4000, 0x80000000u);
	expect(&cie, &fde, RIP_E_FDE, "a negative length");
	cie.augmentation_data = TB(0x04);
	fde.range = TB(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0, 0, 0);
	expect(&cie, &fde, RIP_E_FDE, "a range past the last address");
	fde = usual_fde();
	fde.range = tb_range4(0x4000, 0);
	cie.augmentation_data = TB(0x03);
	expect(&cie, &fde, RIP_OK, "an empty range");
	cie.augmentation_data = TB(0x83);
	expect(&cie, &fde, RIP_E_ENCODING, "an indirect range");
	cie.augmentation_data = TB(0x43);
	expect(&cie, &fde, RIP_E_ENCODING, "a range that counts from itself");
	cie.augmentation_data = TB(0xff);
	expect(&cie, &fde, RIP_E_ENCODING, "a range that is left out");
	cie.augmentation_data = TB(0x01);
	fde.range = TB(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 1);
	expect(&cie, &fde, RIP_E_OVERFLOW, "a range of 65 bits");
}

static void test_aligned(void)
{
	struct table t = { .size = 0 };
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = { .augmentation = TB(0) };
	struct rip_cfi_section section;
	struct rip_fde got;
	size_t offset;
	cie.augmentation_data = TB(0x50);
	fde.cie = tb_cie(&t, &cie);
	for (size_t place = t.size + 8; place % 8 != 0; place++)
		tb_u8(&fde.range, 0xcc);
	tb_u64(&fde.range, 0x4000);
	tb_u64(&fde.range, 0x80);
	offset = tb_fde(&t, &fde);
	section = section_of(&t);
	tap_equal(rip_fde_at(&section, offset, &got), RIP_OK, "an aligned range");
	tap_ok(fde.range.size > 16 && got.pc_begin == 0x4000 && got.pc_end == 0x4080, "behind its gap");
}

static void test_wide(void)
{
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	struct rip_fde got;
	cie.wide = fde.wide = true;
	tap_equal(decode(&cie, fde, &got), RIP_OK, "64-bit lengths");
	tap_ok(got.pc_begin == 0x4000 && got.cie.data_align == -8, "with ids of 32 bits");
}

/* --- The section --- */

static void build_walk(struct table *t)
{
	struct tb_cie first = tb_usual_cie(), second = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	fde.cie = tb_cie(t, &first);
	tb_fde(t, &fde);
	fde.range = tb_range4(0, 0x10); /* dropped by the linker */
	tb_fde(t, &fde);
	second.data_align = -4;
	second.wide = true;
	fde.cie = tb_cie(t, &second);
	fde.range = tb_range4(0x5000, 0x10);
	fde.wide = true;
	tb_fde(t, &fde);
}

static int count_fdes(const struct table *t, rip_status *last_ret)
{
	struct rip_cfi_section section = section_of(t);
	struct rip_fde fde;
	uint64_t offset = 0;
	int count = 0;
	while ((*last_ret = rip_fde_next(&section, &offset, &fde)) == RIP_OK)
		count++;
	return count;
}

static void test_walk(void)
{
	struct table t = { .size = 0 };
	rip_status last;
	build_walk(&t);
	tap_equal(count_fdes(&t, &last), 3, "the walk passes CIEs over");
	tap_equal(last, RIP_E_END, "and ends with the section");
	tb_u32(&t, 0);
	tb_u32(&t, 0xdeadbeef);
	tap_equal(count_fdes(&t, &last), 3, "a zero length is the end, too");
	tap_equal(last, RIP_E_END, "whatever is behind it");
	t.size -= 8;
	tb_u32(&t, 100);
	tap_equal(count_fdes(&t, &last), 3, "a damaged record ends it");
	tap_equal(last, RIP_E_TRUNCATED, "with its status");
}

static void test_scan(void)
{
	struct table t = { .size = 0 };
	struct rip_cfi_section section;
	struct rip_fde fde;
	build_walk(&t);
	section = section_of(&t);
	tap_equal(rip_fde_scan(&section, 0x400f, &fde), RIP_OK, "a pc in the first FDE");
	tap_equal(rip_fde_scan(&section, 0x500f, &fde), RIP_OK, "the last pc of the last");
	tap_equal((long long)fde.cie.data_align, -4, "comes with its own CIE");
	tap_equal(rip_fde_scan(&section, 0x5010, &fde), RIP_E_NOFDE, "the pc behind it: NOFDE");
	tap_equal(rip_fde_scan(&section, 0x3fff, &fde), RIP_E_NOFDE, "the pc before the first: NOFDE");
	tap_equal(rip_fde_scan(&section, 4, &fde), RIP_E_NOFDE, "a dropped function covers nothing");
}

static void test_wrong_places(void)
{
	struct table t = { .size = 0 };
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	struct rip_cfi_section section;
	struct rip_fde got = { .pc_begin = 77 };
	size_t cie_offset = tb_cie(&t, &cie), offset;
	fde.cie = cie_offset;
	offset = tb_fde(&t, &fde);
	section = section_of(&t);
	tap_equal(rip_fde_at(&section, cie_offset, &got), RIP_E_FDE, "a CIE is no FDE");
	tap_equal(rip_fde_at(&section, t.size, &got), RIP_E_END, "the section's end is END");
	tap_equal(rip_fde_at(&section, t.size + 1, &got), RIP_E_TRUNCATED, "past it is TRUNCATED");
	tb_patch(&t, offset + 4, 4, 4);
	tap_equal(rip_fde_at(&section, offset, &got), RIP_E_CIE, "an FDE is not its own CIE");
	tb_patch(&t, offset + 4, offset + 5, 4);
	tap_equal(rip_fde_at(&section, offset, &got), RIP_E_CIE, "nor is there one before the section");
	tb_patch(&t, offset + 4, (uint32_t)-1000, 4);
	tap_equal(rip_fde_at(&section, offset, &got), RIP_E_TRUNCATED, "nor behind it");
	tb_patch(&t, offset + 4, (uint32_t)-(int)(t.size - offset - 4), 4);
	tap_equal(rip_fde_at(&section, offset, &got), RIP_E_CIE, "nor at its end");
	tb_patch(&t, offset, 3, 4);
	tap_equal(rip_fde_at(&section, offset, &got), RIP_E_TRUNCATED, "a record too short for its id");
	tap_equal((long long)got.pc_begin, 77, "failures leave the result alone");
}

/* readelf and libgcc read the distance as signed. */
static void test_cie_behind(void)
{
	struct table t = { .size = 0 };
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = usual_fde();
	struct rip_cfi_section section;
	struct rip_fde got;
	size_t offset = tb_fde(&t, &fde), cie_offset = tb_cie(&t, &cie);
	tb_patch(&t, offset + 4, (uint32_t)(offset + 4 - cie_offset), 4);
	section = section_of(&t);
	tap_equal(rip_fde_at(&section, offset, &got), RIP_OK, "a CIE behind its FDE");
}

int main(void)
{
	test_usual();
	test_versions();
	test_letters();
	test_letters_without_z();
	test_unknown_letters();
	test_ranges();
	test_aligned();
	test_wide();
	test_walk();
	test_scan();
	test_wrong_places();
	test_cie_behind();
	tap_done();
}
