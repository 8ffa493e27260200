/* Poller is the one wait of a worker: the engine's doorbell, our own wake-up, and the descriptors of the event loop. */
#ifndef COVET_POLLER_H
#define COVET_POLLER_H

#include <stdbool.h>

typedef struct {
    int doorbell;            /* the engine writes, we read; an eventfd, or a pipe */
    bool doorbell_is_pipe;
    int wake_read, wake_write; /* ours, for the threads of the pool; one eventfd, or a pipe */
    int base;                /* the selector of the event loop, -1 for none */
    int epoll;               /* -1 where there is no epoll */
} Poller;

int poller_open(Poller *p, int doorbell); /* -1 and errno */
void poller_close(Poller *p);
int poller_set_base(Poller *p, int fd);
/* Waits at most ms (-1: for ever; 0: only looks). 1: the base has something; 0: it has not; -1 and errno. What the
 * doorbells said is consumed: look at the rings afterwards. */
int poller_wait(Poller *p, int ms);
void poller_wake(Poller *p); /* any thread */

#endif
