// SPDX-License-Identifier: MIT
#include "cxx_generator.h"

void cxx_generator::owners(scope &here)
{
	std::string name = fresh("o"), take = one_of("acquire()", "acquire()", "make(a)", "acquire_inline()");

	switch (pick(7)) {
	case 0: line("own " + name + "(" + take + ");"); break;
	case 1:
		line("own " + name + ";");
		line("if (" + condition(here) + ")");
		line("\t" + name + " = own(" + take + ");");
		break;
	case 2: line("own_that_throws " + name + "(" + take + ");"); break;
	case 3:
		if (!must_not_throw_)
			line("own_that_lets_out " + name + "(" + take + ", " + condition(here) + ");");
		break;
	case 4:
		line("row<3> " + name + ";");
		for (unsigned i = pick(4); i > 0; i--)
			line(name + ".add(own(" + take + "));");
		break;
	case 5:
		line("own " + name + "(" + take + ");");
		line("own " + name + "b(std::move(" + name + "));");
		line("MIX(" + name + ".number() + " + name + "b.number());");
		break;
	case 6:
		line("derived " + name + "(" + expression(here, 1) + ");");
		line("MIX(" + name + ".work(a, p));");
		break;
	}
}

void cxx_generator::library(scope &here)
{
	std::string name = fresh("l"), x = expression(here, 1);

	switch (pick(8)) {
	case 0:
		line("std::unique_ptr<base> " + name + " = make_object(" + x + ");");
		line("MIX(" + name + "->work(a, p));");
		break;
	case 1:
		line("std::optional<own> " + name + ";");
		line("if (" + condition(here) + ")");
		line("\t" + name + ".emplace(acquire());");
		break;
	case 2:
		line("std::variant<u, own> " + name + "(" + x + ");");
		line("if (" + condition(here) + ")");
		line("\t" + name + " = own(acquire());");
		line("MIX(" + name + ".index());");
		break;
	case 3:
		line("std::vector<own> " + name + ";");
		for (unsigned i = pick(4); i > 0; i--)
			line(name + ".emplace_back(acquire());");
		break;
	case 4:
		line("std::string " + name + "(" + x + " % 40, 'x');");
		line("MIX(" + name + ".size());");
		break;
	case 5:
		line("std::shared_ptr<own> " + name + " = std::make_shared<own>(acquire()), " + name + "b = " + name + ";");
		line("MIX(" + name + ".use_count());");
		break;
	case 6:
		line("std::function<u(u)> " + name + " = [&](u x) { own inside(acquire()); return loops(x, 2) + p[x & 7]; };");
		line("MIX(" + name + "(" + x + "));");
		break;
	case 7:
		line("sequence " + name + " = count_to(" + x + " & 3, " + (must_not_throw_ ? "9" : number(6)) + ");");
		line("while (" + name + ".next())");
		line("\tMIX(" + name + ".value());");
		break;
	}
}

void cxx_generator::handler(const scope &here, const std::string &head, unsigned depth)
{
	scope inside = here;

	in_handler_++;
	next("} catch (" + head + ") {");
	if (chance(60))
		block(inside, depth);
	if (!must_not_throw_ && chance(25))
		part([&] { line("if (" + condition(here) + ")"), line(one_of("\tthrow;", "\tthrow 5;", "\tthrow 6u;")); });
	in_handler_--;
}

void cxx_generator::exceptions(scope &here, unsigned depth)
{
	scope inside = here;
	bool all = chance(60) || must_not_throw_;
	unsigned outer = must_not_throw_;

	must_not_throw_ = all ? 0 : outer;
	open("try");
	block(inside, depth);
	part([&] {
		std::string when = condition(here);
		line("if (" + when + ")");
		line(one_of("\tthrow 1;", "\tthrow 2u;", "\tthrow \"text\";"));
	});
	must_not_throw_ = outer;
	if (chance(50))
		handler(here, "int caught", depth);
	if (chance(40))
		handler(here, "const u &caught", depth);
	if (all)
		handler(here, "...", depth);
	else
		handler(here, "const char *caught", depth);
	close();
}

void cxx_generator::calls(scope &here, unsigned depth)
{
	scope inside = here;
	std::string name = fresh("c");

	switch (pick(5)) {
	case 0:
		inside.in_loop = inside.in_switch = false, inside.label = "", inside.may_return = false;
		open("auto " + name + " = [&](u a)");
		block(inside, depth);
		line("return a + p[1];");
		close("};");
		line("MIX(" + name + "(" + expression(here, 1) + "));");
		break;
	case 1: {
		inside.in_loop = inside.in_switch = false, inside.label = "", inside.may_return = false;
		unsigned outer = must_not_throw_, handling = in_handler_;
		must_not_throw_ = 1, in_handler_ = 0;
		open("quietly([&]() noexcept");
		block(inside, depth);
		close("});");
		must_not_throw_ = outer, in_handler_ = handling;
		break;
	}
	case 2:
		if (must_not_throw_)
			break;
		line("throw_int(" + expression(here, 1) + ");");
		break;
	case 3:
		if (must_not_throw_)
			break;
		line("fails " + name + "(" + expression(here, 1) + ");");
		break;
	case 4:
		if (in_handler_ && !must_not_throw_ && chance(50))
			line("if (" + condition(here) + ")"), line("\tthrow;");
		break;
	}
}

void cxx_generator::statement(scope &here, unsigned depth)
{
	unsigned which = pick(100);

	if (which < 18)
		owners(here);
	else if (which < 28)
		library(here);
	else if (which < 40 && depth > 0)
		exceptions(here, depth - 1);
	else if (which < 50 && depth > 0)
		calls(here, depth - 1);
	else
		c_generator::statement(here, depth);
}

// Its whole body is a try block, now and then.
void cxx_generator::cxx_function(const std::string &name)
{
	scope body;
	bool tries = chance(30);

	open("static " + one_of("NOINLINE ", "ALONE ", "MAYBE ", "inline MAYBE ") + "u " + name + "(u a, u *p)" +
	     (tries ? " try" : ""));
	line("if (++::calls > 12)");
	line("\treturn a;");
	for (unsigned count = is_small() ? 2 + pick(3) : 3 + pick(4); count > 0; count--)
		part([&] { statement(body, is_small() ? 2 : 3); });
	line("return " + expression(body, 2) + ";");
	if (tries) {
		next("} catch (" + one_of("int caught", "...", "const u &caught") + ") {");
		line("owns_in_handler(a);");
		if (chance(30))
			line("if (never)"), line("\tthrow;");
		line("return a + p[2];");
	}
	close();
	line("");
}

void cxx_generator::program()
{
	line("#ifndef _GNU_SOURCE");
	line("#define _GNU_SOURCE");
	line("#endif");
	line("#include \"parts.hh\"");
	line("");
	open("static NOINLINE MAYBE void owns_in_handler(u a)");
	line("own inside(acquire());");
	line("MIX(loops(a, 2));");
	close();
	for (unsigned count = is_small() ? 1 : 2 + pick(2); count > 0; count--)
		functions_.push_back(fresh("f"));
	for (const std::string &name : functions_)
		line("static u " + name + "(u a, u *p);");
	line("");
	for (const std::string &name : functions_)
		cxx_function(name);
	open("int main()");
	line("u numbers[8] = { 1, 2, 3, 4, 5, 6, 7, opaque };");
	for (const std::string &name : functions_) {
		line("::calls = 0;");
		open("try");
		line("MIX(" + name + "(" + number(50) + ", numbers));");
		next("} catch (...) {");
		line("MIX(13);");
		close();
	}
	line("return finish();");
	close();
}
