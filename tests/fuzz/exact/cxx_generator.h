// SPDX-License-Identifier: MIT
// Programs in C++.
#ifndef EXACT_CXX_GENERATOR_H
#define EXACT_CXX_GENERATOR_H

#include "c_generator.h"

class cxx_generator : public c_generator {
public:
	using c_generator::c_generator;
	void program() override;

protected:
	void statement(scope &here, unsigned depth) override;

private:
	void owners(scope &here);
	void library(scope &here);
	void exceptions(scope &here, unsigned depth);
	void calls(scope &here, unsigned depth);
	void handler(const scope &here, const std::string &head, unsigned depth);
	void cxx_function(const std::string &name);

	unsigned in_handler_ = 0;   // `throw;` is allowed
	unsigned must_not_throw_ = 0;
};

#endif
