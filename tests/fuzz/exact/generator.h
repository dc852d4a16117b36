// SPDX-License-Identifier: MIT
// Writes a random program out of parts. The same seed gives the same program on every machine. Each part has a number, in
// the order of the text, and can be left out without a change to the others: random numbers are drawn for it all the
// same, and what would name something that it declared is left out with it. So a program that shows a fault is made small
// by leaving out one part after the other.
#ifndef EXACT_GENERATOR_H
#define EXACT_GENERATOR_H

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

class generator {
public:
	generator(uint64_t seed, std::set<unsigned> without, bool small)
		: state_(seed * 2 + 1), without_(std::move(without)), small_(small)
	{
	}
	virtual ~generator() = default;

	// The whole program.
	virtual void program() = 0;

	const std::string &text() const { return text_; }
	// How many parts there are; known when the program has been written.
	unsigned parts() const { return part_; }

protected:
	// A variable of the program, as those behind it see it.
	struct variable {
		std::string name;
		bool left_out;
	};
	using variables = std::vector<variable>;

	// 0 to below - 1.
	unsigned pick(unsigned below)
	{
		state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
		return static_cast<unsigned>((state_ * 0x2545f4914f6cdd1dull) >> 33) % below;
	}
	bool chance(unsigned percent) { return pick(100) < percent; }
	std::string number(unsigned below) { return std::to_string(pick(below)); }
	template <typename... T> std::string one_of(T... choices)
	{
		const std::string all[] = { choices... };
		return all[pick(sizeof...(choices))];
	}
	std::string fresh(const char *prefix) { return prefix + std::to_string(names_++); }

	void line(const std::string &code)
	{
		if (!leaving_out())
			text_ += std::string(indent_, '\t') + code + "\n";
	}
	void open(const std::string &code)
	{
		line(code + (code.empty() ? "{" : " {"));
		indent_++;
	}
	void close(const std::string &code = "}")
	{
		indent_--;
		line(code);
	}
	// Ends what is inside of a brace, and begins what comes after it: "} else {".
	void next(const std::string &code)
	{
		close(code);
		indent_++;
	}

	// What `write` writes is one part.
	void part(const std::function<void()> &write)
	{
		bool gone = without_.count(part_++) != 0;
		unsigned indent = indent_;
		hidden_ += gone;
		write();
		hidden_ -= gone;
		indent_ = indent;
	}
	bool leaving_out() const { return hidden_ > 0; }
	// One function of few statements, instead of some.
	bool is_small() const { return small_; }

private:
	uint64_t state_;
	std::set<unsigned> without_;
	bool small_;
	std::string text_;
	unsigned part_ = 0, names_ = 1, indent_ = 0, hidden_ = 0;
};

#endif
