// scope guards, chained exceptions, errors, threads.
import core.stdc.stdio;
import core.stdc.stdlib : qsort;
import core.thread;

class Mine : Exception
{
    int number;
    this(int number) { super("mine"); this.number = number; }
}

struct Noisy
{
    int number;
    ~this() { if (number) printf("  ~%d\n", number); }
}

int descend(int depth)
{
    auto noisy = Noisy(depth + 1);
    scope (exit) printf("  exit %d\n", depth);
    scope (failure) printf("  failure %d\n", depth);
    scope (success) printf("  success %d\n", depth);
    if (depth == 0)
        throw new Mine(5);
    return descend(depth - 1) + depth;
}

void chained()
{
    try
    {
        try
            throw new Exception("first");
        finally
            throw new Exception("second");
    }
    catch (Exception e)
    {
        for (Throwable t = e; t !is null; t = t.next)
            printf("chain: %.*s\n", cast(int) t.msg.length, t.msg.ptr);
    }
}

extern (C) int compare(scope const void* a, scope const void* b)
{
    if (*cast(int*) a == 3 || *cast(int*) b == 3)
        throw new Mine(3);
    return *cast(int*) a - *cast(int*) b;
}

void main(string[] args)
{
    foreach (depth; [0, 4])
    {
        try
            descend(depth);
        catch (Mine e)
            printf("caught %d\n", e.number);
    }
    chained();
    try
    {
        int[] values = [5, 1, 3, 2];
        qsort(values.ptr, values.length, int.sizeof, cast(typeof(&compare)) &compare);
    }
    catch (Mine e)
        printf("through C: %d\n", e.number);
    Thread[] all;
    foreach (i; 0 .. 4)
        all ~= new Thread({
            int caught;
            foreach (round; 0 .. 50)
                try
                    throw new Mine(round);
                catch (Mine e)
                    caught += e.number;
            if (caught != 1225)
                printf("wrong %d\n", caught);
        }).start();
    foreach (thread; all)
        thread.join();
    int[] none;
    try
        printf("%d\n", none[args.length]);
    catch (Error e)
        printf("error: %.*s\n", cast(int) typeid(e).name.length, typeid(e).name.ptr);
    throw new Exception("nobody catches this");
}
