/* The application of the tests on a node, for x86-64. Without a C library its first instructions are its own:
 * three calls of times(2), which no runtime of containers makes. Then, by its argument:
 *
 *   wait      waits until it is told to end, and ends with 0
 *   done      ends with 0
 *   say TEXT  writes TEXT and a newline in one call of write(2), and ends with 0
 *   kill      has the container's first process end, and ends with 0
 */
enum { SYS_write = 1, SYS_rt_sigaction = 13, SYS_pause = 34, SYS_exit = 60, SYS_kill = 62, SYS_times = 100 };
enum { SIGTERM = 15, SA_RESTORER = 0x04000000 };

static long call(long number, long a, long b, long c, long d) {
    long result;
    register long fourth asm("r10") = d;

    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                 : "rcx", "r11", "memory");
    return result;
}

static _Noreturn void end(int signal) {
    (void)signal;
    for (;;)
        call(SYS_exit, 0, 0, 0, 0);
}

/* The first process of a container gets no signal that it has no handler for. */
static void end_on(int signal) {
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } action = {.handler = end, .flags = SA_RESTORER, .restorer = 0};

    call(SYS_rt_sigaction, signal, (long)&action, 0, sizeof(action.mask));
}

static void say(char *text) {
    long length = 0;

    while (text[length])
        length++;
    text[length++] = '\n';
    call(SYS_write, 1, (long)text, length, 0);
}

__attribute__((used)) static _Noreturn void start(long *stack) {
    char **argv = (char **)(stack + 1);

    for (int i = 0; i < 3; i++)
        call(SYS_times, 0, 0, 0, 0);
    switch (stack[0] > 1 ? argv[1][0] : 'd') {
    case 'w':
        end_on(SIGTERM);
        for (;;)
            call(SYS_pause, 0, 0, 0, 0);
    case 's':
        say(argv[2]);
        break;
    case 'k':
        call(SYS_kill, 1, SIGTERM, 0, 0);
        break;
    }
    end(0);
}

asm(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall start\n");
