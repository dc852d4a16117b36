// Types that are thrown from one module and caught in another.
#pragma once
struct Root { virtual ~Root(); virtual int id() const; int tag = 1; };
struct Side { virtual ~Side() {} int side = 5; };      // defined in each module, merged by name
struct Leaf : Root, Side { int id() const override { return 2; } };
extern "C" {
typedef int (*throw_function)(int what);
typedef int (*catch_function)(void (*thrower)());
int throw_linked(int what);
int catch_linked(void (*thrower)());
}
