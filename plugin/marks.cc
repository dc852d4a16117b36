/* SPDX-License-Identifier: MIT
 * marks: the last pass, on the finished instructions: what the runtime reads (ripcord/killable.h).
 *
 * A poll is known by the address 0 in the instruction: where GCC has put a register that holds 0, it
 * stands there again. Behind each call in a masked region stands a no-op that says so, and each part of a
 * function has an entry in the module's table of killable code. */
#include "ripcord_plugin.h"

#include "stringpool.h"
#include "attribs.h"
#include "memmodel.h"
#include "emit-rtl.h"
#include "insn-config.h"
#include "recog.h"
#include "tm_p.h"
#include "rtl-iter.h"
#include "varasm.h"
#include "output.h"
#include "ripcord/killable.h"

namespace ripcord {

namespace {

const pass_data marks_data = {
	RTL_PASS, "ripcord_marks", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, 0,
};

#define STRING_2(text) #text
#define STRING(text) STRING_2(text)

rtx assembly(const char *text)
{
	rtx code = gen_rtx_ASM_INPUT_loc(VOIDmode, ggc_strdup(text),
					  DECL_SOURCE_LOCATION(current_function_decl));
	MEM_VOLATILE_P(code) = 1;
	return code;
}

/* nopl DISPLACEMENT(%rax), see RIP_KILLABLE_MASK in ripcord/killable.h. */
void mark_call(rtx_insn *call)
{
	emit_insn_after(assembly("nopl\t" STRING(RIP_KILLABLE_MASK_DISPLACEMENT) "(%rax)"), call);
}

void look_at_calls()
{
	for (rtx_insn *insn = get_insns(); insn; insn = NEXT_INSN(insn)) {
		if (!CALL_P(insn) || SIBLING_CALL_P(insn))
			continue;
		eh_landing_pad pad = get_eh_landing_pad_from_rtx(insn);
		if (pad && landing_pad_is_masked(pad->index))
			mark_call(insn);
	}
}

bool is_poll_by_register(const_rtx memory)
{
	if (!MEM_P(memory) || !MEM_VOLATILE_P(memory) || !REG_P(XEXP(memory, 0)))
		return false;
	tree load = MEM_EXPR(memory);
	return load && is_poll_load(load);
}

void write_zeros_into_polls()
{
	for (rtx_insn *insn = get_insns(); insn; insn = NEXT_INSN(insn)) {
		subrtx_ptr_iterator::array_type array;
		if (!NONJUMP_INSN_P(insn))
			continue;
		FOR_EACH_SUBRTX_PTR(at, array, &PATTERN(insn), NONCONST)
			if (is_poll_by_register(**at)) {
				validate_change(insn, &XEXP(**at, 0), const0_rtx, 0);
				break;
			}
	}
}

/* The local labels of a part: it begins and ends where they stand. */
struct part {
	section *where;
	char begin[40], end[40];
};

/* The first part in each section, which stands for it: the assembler makes one table for each such label. */
hash_map<section *, const char *> first_labels;

part part_of_function(int number)
{
	part p;
	bool cold = number == (first_function_block_is_cold ? 0 : 1);
	p.where = cold ? unlikely_text_section() : function_section(current_function_decl);
	snprintf(p.begin, sizeof p.begin, ".Lripcord_b%d_%d", number, current_function_funcdef_no);
	snprintf(p.end, sizeof p.end, ".Lripcord_e%d_%d", number, current_function_funcdef_no);
	return p;
}

const char *first_label(const part &p)
{
	bool existed;
	const char *&label = first_labels.get_or_insert(p.where, &existed);
	if (!existed)
		label = xstrdup(p.begin);
	return label;
}

char *begin_text(const part &p)
{
	return xasprintf("%s:", p.begin);
}

/* The entry goes with the part's section: into its group, and away if the linker drops it. Code that is left
 * out has one of size 0. */
char *end_text(const part &p)
{
	const char *size_from = role_of(current_function_decl) == ROLE_LEFT_OUT ? p.begin : p.end;
	return xasprintf("%s:\n"
			 "\t.pushsection " RIP_KILLABLE_SECTION ",\"ao?\",@progbits,%s\n"
			 "\t.long\t%s-., %s-%s\n"
			 "\t.popsection",
			 p.end, first_label(p), p.begin, size_from, p.begin);
}

rtx_insn *find_switch_of_sections()
{
	for (rtx_insn *insn = get_insns(); insn; insn = NEXT_INSN(insn))
		if (NOTE_P(insn) && NOTE_KIND(insn) == NOTE_INSN_SWITCH_TEXT_SECTIONS)
			return insn;
	return NULL;
}

/* Without optimization a function may end in notes that must stay last. */
void emit_at_end(rtx code)
{
	emit_insn_after(code, get_last_insn());
}

void note_parts()
{
	part hot = part_of_function(0), cold = part_of_function(1);
	rtx_insn *between = find_switch_of_sections();

	emit_insn_before(assembly(begin_text(hot)), get_insns());
	if (between) {
		emit_insn_before(assembly(end_text(hot)), between);
		emit_insn_after(assembly(begin_text(cold)), between);
	}
	emit_at_end(assembly(end_text(between ? cold : hot)));
}

class marks_pass : public rtl_opt_pass {
public:
	explicit marks_pass(gcc::context *context) : rtl_opt_pass(marks_data, context) {}
	bool gate(function *f) final override
	{
		return flag_exceptions && flag_non_call_exceptions && !lookup_attribute("naked", DECL_ATTRIBUTES(f->decl));
	}
	unsigned execute(function *f) final override
	{
		if (role_of(f->decl) != ROLE_LEFT_OUT) {
			write_zeros_into_polls();
			look_at_calls();
		}
		if (options.warn)
			check_pads();
		note_parts();
		return 0;
	}
};

} // namespace

/* The object's note. The runtime takes a module's first. Not in a group, of which the linker would keep
 * one: --gc-sections keeps notes, but not those in groups. The names are the linker's; weak, because it
 * may drop all the code. */
static void write_note()
{
	if (first_labels.is_empty())
		return;
	fputs("\t.weak\t__start_" RIP_KILLABLE_SECTION ", __stop_" RIP_KILLABLE_SECTION "\n"
	      "\t.hidden\t__start_" RIP_KILLABLE_SECTION ", __stop_" RIP_KILLABLE_SECTION "\n"
	      "\t.section " RIP_KILLABLE_NOTE_SECTION ",\"a\",@note\n"
	      "\t.balign 4\n"
	      "\t.long\t1f - 0f, 3f - 2f, " STRING(RIP_KILLABLE_NOTE_TYPE) "\n"
	      "0:\t.asciz \"" RIP_KILLABLE_NOTE_NAME "\"\n"
	      "1:\t.balign 4\n"
	      "2:\t.long\t" STRING(RIP_KILLABLE_VERSION) ", 0\n"
	      "\t.quad\t__start_" RIP_KILLABLE_SECTION " - 2b, __stop_" RIP_KILLABLE_SECTION " - 2b\n"
	      "3:\n"
	      "\t.text\n", asm_out_file);
}

/* At the end of the unit. */
void write_end(void *, void *)
{
	write_probe_function();
	write_note();
}

opt_pass *make_marks_pass(gcc::context *context)
{
	return new marks_pass(context);
}

} // namespace ripcord
