// The smallest program that throws.
#include <cstdio>
#include <stdexcept>

int main()
{
	try {
		throw std::runtime_error("small");
	} catch (const std::exception &e) {
		std::puts(e.what());
	}
}
