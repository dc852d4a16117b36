// SPDX-License-Identifier: MIT
// Programs in C. What C++ has in common with C comes from here too.
#ifndef EXACT_C_GENERATOR_H
#define EXACT_C_GENERATOR_H

#include "generator.h"

class c_generator : public generator {
public:
	using generator::generator;
	void program() override;

protected:
	// Functions call those behind them in `functions_`, and now and then any, which `calls` bounds.
	struct scope {
		variables guards;  // of type int, which hold a resource or -1
		variables numbers; // of type u
		std::string label; // that a goto may lead to; empty: none
		bool in_loop = false, in_switch = false;
		bool may_return = true;
	};

	void function(const std::string &name);
	void block(scope inside, unsigned depth);
	virtual void statement(scope &here, unsigned depth);
	std::string expression(const scope &here, unsigned depth);
	std::string condition(const scope &here);
	std::string drop() { return one_of("drop_inline", "drop_call", "drop_loop", "drop_twice"); }
	std::string guard(const std::string &name) { return "int " + name + " __attribute__((cleanup(" + drop() + ")))"; }
	const variable *any(const variables &all);

	std::vector<std::string> functions_;

private:
	void guards(scope &here, unsigned depth);
	void memory(scope &here, unsigned depth);
	void control(scope &here, unsigned depth);
	void leaving(scope &here);
	void computing(scope &here);
	void builtins(scope &here);
	void ownership(scope &here);
	void system(scope &here, unsigned depth);
};

#endif
