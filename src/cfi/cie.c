/* SPDX-License-Identifier: MIT
 * cie: the common information entry (LSB 10.6.1.1, DWARF 5 section 6.4.1). */
#include "cfi/record.h"

/* --- The augmentation letters --- */

enum letter_result { LETTER_KNOWN, LETTER_UNKNOWN };

static enum letter_result read_letter(struct rip_reader *r, char letter,
				      const struct rip_pointer_bases *bases, struct rip_cie *cie)
{
	switch (letter) {
	case 'R':
		cie->fde_encoding = rip_read_u8(r);
		return LETTER_KNOWN;
	case 'L':
		cie->lsda_encoding = rip_read_u8(r);
		return LETTER_KNOWN;
	case 'P':
		cie->personality = rip_pointer_read(r, rip_read_u8(r), bases);
		return LETTER_KNOWN;
	case 'S':
		cie->signal_frame = true;
		return LETTER_KNOWN;
	case 'B': /* AArch64: return addresses are signed with key B; it has no data */
		return LETTER_KNOWN;
	default:
		return LETTER_UNKNOWN;
	}
}

/* The data of an unknown letter has no known size, so letters behind it cannot find theirs. Those
 * without data still count; one with data would leave the FDEs unreadable or without cleanups. */
static void read_letters_without_data(struct rip_reader *r, const char *letters, struct rip_cie *cie)
{
	for (; *letters != '\0'; letters++) {
		if (*letters == 'R' || *letters == 'L' || *letters == 'P')
			rip_reader_fail(r, RIP_E_CIE);
		if (*letters == 'S')
			cie->signal_frame = true;
	}
}

static void read_letters(struct rip_reader *r, const char *letters,
			 const struct rip_pointer_bases *bases, struct rip_cie *cie)
{
	for (; *letters != '\0'; letters++) {
		if (read_letter(r, *letters, bases, cie) == LETTER_KNOWN)
			continue;
		if (!cie->has_augmentation) /* nothing says where the instructions start */
			rip_reader_fail(r, RIP_E_CIE);
		read_letters_without_data(r, letters + 1, cie);
		return;
	}
}

/* With 'z' a length says where the instructions start, whatever the letters read. */
static void read_augmentation(struct rip_reader *r, const char *letters,
			      const struct rip_pointer_bases *bases, struct rip_cie *cie)
{
	struct rip_bytes data;
	struct rip_reader inner;
	if (*letters != 'z') {
		read_letters(r, letters, bases, cie);
		return;
	}
	cie->has_augmentation = true;
	data = rip_read_block(r, rip_read_uleb(r));
	inner = rip_reader_init(&data);
	read_letters(&inner, letters + 1, bases, cie);
	if (inner.status != RIP_OK)
		rip_reader_fail(r, inner.status);
}

/* --- The fields --- */

/* GCC 2 put a pointer to its exception table right behind the string "eh". */
static const char *skip_old_eh(struct rip_reader *r, const char *letters)
{
	if (letters[0] != 'e' || letters[1] != 'h')
		return letters;
	rip_read_u64(r);
	return letters + 2;
}

/* Version 4 states the sizes of an address and of a segment selector. */
static void check_sizes(struct rip_reader *r)
{
	uint8_t address_size = rip_read_u8(r), selector_size = rip_read_u8(r);
	if (address_size != 8 || selector_size != 0)
		rip_reader_fail(r, RIP_E_CIE);
}

static void read_factors(struct rip_reader *r, struct rip_cie *cie)
{
	cie->code_align = rip_read_uleb(r);
	cie->data_align = rip_read_sleb(r);
	cie->return_register = cie->version == 1 ? rip_read_u8(r) : rip_read_uleb(r);
}

static rip_status read_cie(struct rip_reader *r, const struct rip_pointer_bases *bases,
			   struct rip_cie *cie_ret)
{
	struct rip_cie cie = { .fde_encoding = RIP_PE_ABSPTR, .lsda_encoding = RIP_PE_OMIT };
	const char *letters;
	cie.version = rip_read_u8(r);
	if (r->status == RIP_OK && cie.version != 1 && cie.version != 3 && cie.version != 4)
		return RIP_E_CIE;
	letters = rip_read_string(r);
	if (letters == NULL)
		return r->status;
	letters = skip_old_eh(r, letters);
	if (cie.version == 4)
		check_sizes(r);
	read_factors(r, &cie);
	read_augmentation(r, letters, bases, &cie);
	cie.instructions = rip_read_block(r, rip_reader_left(r));
	if (r->status == RIP_OK)
		*cie_ret = cie;
	return r->status;
}

rip_status rip_cie_at(const struct rip_cfi_section *section, uint64_t offset, struct rip_cie *cie_ret)
{
	struct rip_cfi_record record;
	rip_status status = rip_cfi_record_at(section, offset, &record);
	if (status == RIP_E_END || (status == RIP_OK && record.id != 0))
		return RIP_E_CIE;
	if (status != RIP_OK)
		return status;
	status = read_cie(&record.body, &section->bases, cie_ret);
	if (status == RIP_OK)
		cie_ret->address = record.address;
	return status;
}
