/* What holds the namespaces of a pod: it waits until it is told to end. */
#include <signal.h>
#include <unistd.h>

static void end(int signal) {
    _exit(0);
}

int main(void) {
    signal(SIGTERM, end);
    signal(SIGINT, end);
    /* Processes that the pod leaves behind are this one's where they share its process namespace. */
    signal(SIGCHLD, SIG_IGN);
    for (;;)
        pause();
}
