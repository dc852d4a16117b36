// SPDX-License-Identifier: MIT
#include "c_generator.h"

const c_generator::variable *c_generator::any(const variables &all)
{
	return all.empty() ? nullptr : &all[pick(static_cast<unsigned>(all.size()))];
}

std::string c_generator::expression(const scope &here, unsigned depth)
{
	const variable *known = any(here.numbers);

	if (depth == 0 || chance(30)) {
		std::string leaf = one_of("a", "a", "p[a & 7]", "p[" + number(8) + "]", "table[a & 15]", number(100) + "u", "opaque",
					  "local", "atomic");
		return known && !known->left_out && chance(50) ? known->name : leaf;
	}
	std::string x = expression(here, depth - 1), y = expression(here, depth - 1);
	switch (pick(12)) {
	case 0: return "(" + x + " + " + y + ")";
	case 1: return "(" + x + " * " + y + ")";
	case 2: return "(" + x + " ^ " + y + ")";
	case 3: return "(" + x + " - " + y + ")";
	case 4: return "(" + x + " / ((" + y + " & 15) + 1))";
	case 5: return "(" + x + " % (" + y + " | 1))";
	case 6: return "(" + x + " << (" + y + " & 15))";
	case 7: return "(" + x + " < " + y + " ? " + x + " : " + y + ")";
	case 8: return "mix_const(" + x + ", " + y + ")";
	case 9: return "sum_pure(p, " + x + " & 7)";
	case 10: return "divide_const(" + x + ", " + y + ")";
	default: return "(u)(" + x + " == " + y + ")";
	}
}

std::string c_generator::condition(const scope &here)
{
	std::string x = expression(here, 1);

	return one_of("always", "!never", x + " % 3 == 1", "(" + x + " & 1)", x + " > p[1]", "never");
}

// Guards at the beginning and in the middle of blocks, in loop heads, and what acquires only sometimes.
void c_generator::guards(scope &here, unsigned depth)
{
	std::string name = fresh("g"), take = one_of("acquire()", "acquire()", "acquire_inline()", "make(a)");

	switch (pick(7)) {
	case 0:
	case 1:
		line(guard(name) + " = " + take + ";");
		here.guards.push_back({ name, leaving_out() });
		break;
	case 2: {
		line(guard(name) + " = -1;");
		here.guards.push_back({ name, leaving_out() });
		std::string when = condition(here);
		line("if (" + when + ")");
		line("\t" + name + " = " + take + ";");
		break;
	}
	case 3: {
		std::string i = fresh("i");
		line("int " + name + "[3] __attribute__((cleanup(drop_three))) = { -1, -1, -1 };");
		line("for (u " + i + " = 0; " + i + " < " + std::to_string(1 + pick(3)) + "; " + i + "++)");
		line("\tif (" + condition(here) + ")");
		line("\t\t" + name + "[" + i + "] = " + take + ";");
		break;
	}
	case 4: {
		std::string i = fresh("i");
		scope inside = here;
		inside.in_loop = true, inside.in_switch = false;
		line("u " + i + " = 0;");
		open("for (" + guard(name) + " = " + take + "; " + i + " < " + std::to_string(1 + pick(3)) + "; " + i + "++)");
		inside.guards.push_back({ name, leaving_out() });
		block(inside, depth);
		close();
		break;
	}
	case 5:
		line("struct object " + name + " __attribute__((cleanup(drop_object))) = { -1, { a, 1, 2 } };");
		line(name + ".number = " + take + ";");
		line("MIX(" + name + ".load[a % 3]);");
		break;
	case 6:
		line("struct list " + name + " __attribute__((cleanup(" + one_of("drop_list", "drop_list_inline") + "))) = { NULL };");
		for (unsigned i = 1 + pick(3); i > 0; i--)
			line("push(&" + name + ", " + expression(here, 1) + ");");
		if (chance(50))
			line("MIX(" + name + ".head->value);");
		if (chance(60))
			line("MIX(pop(&" + name + "));");
		break;
	}
}

void c_generator::memory(scope &here, unsigned)
{
	std::string name = fresh("m"), value = expression(here, 1);

	switch (pick(6)) {
	case 0:
		line("RIP_AUTO_FREE u *" + name + " = (u *)malloc(8 * sizeof(u));");
		line("memset(" + name + ", (int)a & 15, 8 * sizeof(u));");
		line(name + "[a & 7] = " + value + ";");
		line("MIX(" + name + "[" + number(8) + "]);");
		break;
	case 1:
		line("u " + name + "[(a & 7) + 8];");
		line("for (u i = 0; i < 8; i++)");
		line("\t" + name + "[i] = p[i] + " + value + ";");
		line("MIX(" + name + "[a & 7]);");
		break;
	case 2:
		line("u *" + name + " = (u *)alloca(((a & 7) + 8) * sizeof(u));");
		line("memcpy(" + name + ", p, 8 * sizeof(u));");
		line("MIX(" + name + "[a & 7]);");
		break;
	case 3:
		line("struct large " + name + " = { { a, p[1], 2, 3 } };");
		line("struct large " + name + "b = " + name + ";");
		line("((volatile struct large *)&" + name + "b)->word[a % 12] = " + value + ";");
		line("MIX(" + name + "b.word[" + number(12) + "]);");
		break;
	case 4:
		line("RIP_AUTO_FREE char *" + name + " = strdup(\"some text here\");");
		line("MIX(strlen(" + name + "));");
		line(name + "[a % 14] = 'x';");
		break;
	case 5:
		line("RIP_AUTO_FREE struct bits *" + name + " = (struct bits *)calloc(1, sizeof *" + name + ");");
		line(name + "->a = (a & 7); " + name + "->b = (" + value + " & 127);");
		line("MIX(" + name + "->b + " + name + "->a);");
		break;
	}
}

void c_generator::control(scope &here, unsigned depth)
{
	scope inside = here;
	std::string label, i = fresh("i");

	switch (pick(8)) {
	case 0:
		open("if (" + condition(here) + ")");
		block(inside, depth);
		if (chance(50)) {
			next("} else {");
			block(inside, depth);
		}
		close();
		break;
	case 1:
		inside.in_loop = true, inside.in_switch = false;
		open("for (u " + i + " = 0; " + i + " < " + std::to_string(1 + pick(4)) + "; " + i + "++)");
		block(inside, depth);
		close();
		break;
	case 2:
		inside.in_loop = true, inside.in_switch = false;
		line("u " + i + " = " + number(4) + ";");
		open("do");
		block(inside, depth);
		close("} while (" + i + "-- > 0);");
		break;
	case 3: {
		inside.in_switch = true;
		open("switch (" + expression(here, 1) + " & 3)");
		for (int which = 0; which < 3; which++) {
			open("case " + std::to_string(which) + ":");
			block(inside, depth);
			close();
			if (chance(75))
				line("break;");
		}
		line("default:;");
		close();
		break;
	}
	case 4:
		inside.label = label = fresh("out");
		open("");
		block(inside, depth);
		close();
		line(label + ":;");
		break;
	case 5: {
		std::string x = fresh("x"), y = fresh("y"), jumps = fresh("jumps");
		open("");
		line("static const void *const " + jumps + "[2] = { &&" + x + ", &&" + y + " };");
		line("goto *" + jumps + "[" + expression(here, 1) + " & 1];");
		line(x + ":");
		open("");
		block(inside, depth);
		close();
		line(y + ":;");
		close();
		break;
	}
	case 6:
		// No guard stands between the two ends of the jump.
		open("if (setjmp(jump) == 0)");
		line("MIX(loops(a, 2));");
		line("jump_back(" + expression(here, 1) + " & 3);");
		close();
		break;
	case 7:
		open("");
		block(inside, depth);
		close();
		break;
	}
}

void c_generator::leaving(scope &here)
{
	std::string when = condition(here), how;

	switch (pick(4)) {
	case 0: how = here.in_loop && !here.in_switch ? "continue" : ""; break;
	case 1: how = here.in_loop || here.in_switch ? "break" : ""; break;
	case 2: how = here.label.empty() ? "" : "goto " + here.label; break;
	case 3: how = here.may_return ? "return " + expression(here, 1) : ""; break;
	}
	if (how.empty())
		return;
	line("if (" + when + ")");
	line("\t" + how + ";");
}

void c_generator::computing(scope &here)
{
	std::string x = expression(here, 2), y = expression(here, 1), name = fresh("v");

	switch (pick(13)) {
	case 0: line("u " + name + " = " + x + ";"), here.numbers.push_back({ name, leaving_out() }); break;
	case 1: line("a ^= " + x + ";"); break;
	case 2: line("p[a & 7] += " + x + ";"); break;
	case 3: line("table[" + y + " & 15] = " + x + ";"); break;
	case 4: line("for (u i = 0; i < 8; i++)"), line("\tp[i] = p[i] * 3 + " + number(9) + ";"); break;
	case 5: line("change(p, " + y + " & 7);"); break;
	case 6: line("MIX(loops(" + x + ", " + number(5) + "));"); break;
	case 7: line("__atomic_fetch_add(&atomic, " + x + ", __ATOMIC_SEQ_CST);"); break;
	case 8: line("local = " + x + " + loops_sometimes(a, " + y + ");"); break;
	case 9: line("reals[a & 7] += (double)(" + x + " & 255) / (double)(p[1] | 1);"); break;
	case 10: line("MIX(sum_arguments(3, a, " + x + ", p[2]));"); break;
	case 11:
		line("union views " + name + " = { .whole = " + x + " };");
		line(name + ".half[a & 1] = (short)" + y + ";");
		line("MIX(" + name + ".byte[1] | (u)" + name + ".byte[2] << 8);");
		break;
	case 12: line("MIX(store_nothrow(" + x + ", p));"); break;
	}
}

void c_generator::builtins(scope &here)
{
	std::string size = std::to_string(1u << pick(5)), x = expression(here, 1);
	std::string from = "(bytes + " + x + " % 32)", to = "((unsigned char *)p + (" + expression(here, 1) + " & 15))";

	switch (pick(12)) {
	case 0: line("memcpy(" + to + ", " + from + ", " + (chance(70) ? size : x + " & 7") + ");"); break;
	case 1: line("memmove(" + to + ", (unsigned char *)p + 1, " + size + ");"); break;
	case 2: line("memset(" + to + ", (int)(" + x + "), " + size + ");"); break;
	case 3: line("MIX(memcmp(" + to + ", " + from + ", " + size + ") == 0);"); break;
	case 4: line("bytes[63] = 0;"), line("MIX(strlen((char *)" + from + "));"); break;
	case 5: line("strcpy((char *)bytes, \"" + one_of("text", "a longer text", "") + "\");"); break;
	case 6: line("sprintf((char *)bytes, \"%s\", \"" + one_of("word", "words and words", "") + "\");"); break;
	case 7: line("MIX(snprintf((char *)bytes, 20, \"%u-%s\", " + x + ", \"x\"));"); break;
	case 8: line("bytes[63] = 0;"), line("MIX(strcmp((char *)" + from + ", \"abc\") > 0);"); break;
	case 9: line("MIX(p[0] | p[1] << 8 | (ul)" + to + "[1] << 16 | (ul)" + to + "[2] << 24);"); break;
	case 10: line("bytes[20] = 0; strcat((char *)bytes, \"tail\");"); break;
	case 11: line("MIX((ul)memchr(bytes, (int)(a & 127), 40) != 0);"); break;
	}
}

// Hands over what a guard holds, or takes something over.
void c_generator::ownership(scope &here)
{
	const variable *from = any(here.guards), *to = any(here.guards);
	std::string name = fresh("g");

	switch (pick(4)) {
	case 0:
		if (from && !from->left_out)
			line("if (" + from->name + " >= 0)"), line("\tMIX(consume(TAKE(" + from->name + ")));");
		break;
	case 1:
		line("MIX(consume(" + one_of("acquire()", "make(a)") + "));");
		break;
	case 2:
		if (from && !from->left_out) {
			line(guard(name) + " = TAKE(" + from->name + ");");
			here.guards.push_back({ name, leaving_out() });
		}
		break;
	case 3:
		if (from && to && from != to && !from->left_out && !to->left_out) {
			open("if (" + to->name + " < 0)");
			line(to->name + " = TAKE(" + from->name + ");");
			close();
		}
		break;
	}
}

void c_generator::system(scope &here, unsigned depth)
{
	std::string name = fresh("s");

	switch (pick(4)) {
	case 0:
		// A mutex is locked once: what is called meanwhile must not lock it again.
		line("RIP_AUTO_FILE FILE *" + name + " = fopen(\"/dev/null\", \"w\");");
		line("if (" + name + ")");
		line("\tfprintf(" + name + ", \"%u\", " + expression(here, 1) + ");");
		break;
	case 1:
		line("RIP_AUTO_FD int " + name + " = open(\"/dev/null\", O_RDONLY);");
		line("MIX(" + name + " >= 0);");
		break;
	case 2:
		open("if (pthread_mutex_trylock(&lock) == 0)");
		line("pthread_mutex_t *" + name + " __attribute__((cleanup(drop_mutex))) = &lock;");
		block(here, depth);
		close();
		break;
	case 3:
		line("u " + name + "[8];");
		line("memcpy(" + name + ", p, sizeof " + name + ");");
		line("qsort(" + name + ", 8, sizeof(u), compare);");
		line("MIX(" + name + "[0] + " + name + "[7]);");
		break;
	}
}

void c_generator::statement(scope &here, unsigned depth)
{
	unsigned which = pick(100);

	if (which < 22)
		guards(here, depth ? depth - 1 : 0);
	else if (which < 30)
		memory(here, depth);
	else if (which < 47 && depth > 0)
		control(here, depth - 1);
	else if (which < 55)
		leaving(here);
	else if (which < 65)
		builtins(here);
	else if (which < 73)
		ownership(here);
	else if (which < 77 && depth > 0)
		system(here, depth - 1);
	else if (which < 85)
		line("MIX(" + functions_[pick(static_cast<unsigned>(functions_.size()))] + "(" + expression(here, 1) + ", p));");
	else
		computing(here);
}

void c_generator::block(scope inside, unsigned depth)
{
	for (unsigned count = 1 + pick(depth ? 4 : 2); count > 0; count--)
		part([&] { statement(inside, depth); });
}

void c_generator::function(const std::string &name)
{
	scope body;

	open("static " + one_of("NOINLINE ", "ALONE ", "MAYBE ", "inline MAYBE ") + "u " + name + "(u a, u *p)");
	line("if (++calls > 12)");
	line("\treturn a;");
	for (unsigned count = is_small() ? 2 + pick(3) : 3 + pick(5); count > 0; count--)
		part([&] { statement(body, is_small() ? 2 : 3); });
	if (chance(40))
		line("return " + functions_[pick(static_cast<unsigned>(functions_.size()))] + "(a, p);");
	else
		line("return " + expression(body, 2) + ";");
	close();
	line("");
}

void c_generator::program()
{
	line("#define _GNU_SOURCE");
	line("#include \"parts.h\"");
	line("");
	for (unsigned count = is_small() ? 1 : 2 + pick(3); count > 0; count--)
		functions_.push_back(fresh("f"));
	for (const std::string &name : functions_)
		line("static u " + name + "(u a, u *p);");
	line("");
	for (const std::string &name : functions_)
		function(name);
	open("int main(void)");
	line("u numbers[8] = { 1, 2, 3, 4, 5, 6, 7, opaque };");
	for (const std::string &name : functions_) {
		line("calls = 0;");
		line("MIX(" + name + "(" + number(50) + ", numbers));");
	}
	line("return finish();");
	close();
}
