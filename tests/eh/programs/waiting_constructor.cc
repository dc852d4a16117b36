// A library whose constructor waits for a thread that throws.
#include <cstdio>
#include <thread>

struct Waits {
	Waits()
	{
		for (int i = 0; i < 3; i++)
			std::thread([i] {
				try {
					throw i;
				} catch (int n) {
					std::printf("caught %d\n", n);
				}
			}).join();
	}
} waits;
