/* Opens and closes the library argv[1]. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;

	if (!library)
		printf("%s\n", dlerror());
	return !library || dlclose(library) != 0;
}
