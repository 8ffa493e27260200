#include "poller.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif

static void drain(int fd)
{
    char buf[256];
    ssize_t n;
    do
        n = read(fd, buf, sizeof buf); /* it is readable: one read takes all that matters and does not block */
    while (n < 0 && errno == EINTR);
}

void poller_wake(Poller *p)
{
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(p->wake_write, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

#ifdef __linux__

enum { TAG_DOORBELL, TAG_WAKE, TAG_BASE };

static int add(Poller *p, int fd, uint32_t events, uint32_t tag)
{
    struct epoll_event e = {.events = events, .data = {.u32 = tag}};
    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e);
}

int poller_open(Poller *p, int doorbell)
{
    struct stat st;
    memset(p, 0, sizeof *p);
    p->doorbell = doorbell;
    p->base = -1;
    p->doorbell_is_pipe = fstat(doorbell, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
    p->wake_read = p->wake_write = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    /* Edge-triggered eventfds need no read: every ring of the bell is an edge, and one system call a wake-up is saved. */
    if (p->wake_read < 0 || p->epoll < 0 || add(p, doorbell, p->doorbell_is_pipe ? EPOLLIN : EPOLLIN | EPOLLET, TAG_DOORBELL) < 0 ||
        add(p, p->wake_read, EPOLLIN | EPOLLET, TAG_WAKE) < 0) {
        int keep = errno;
        poller_close(p);
        errno = keep;
        return -1;
    }
    return 0;
}

void poller_close(Poller *p)
{
    if (p->wake_read >= 0)
        close(p->wake_read);
    if (p->epoll >= 0)
        close(p->epoll);
    p->wake_read = p->wake_write = p->epoll = -1;
}

int poller_set_base(Poller *p, int fd)
{
    p->base = fd;
    return add(p, fd, EPOLLIN, TAG_BASE);
}

int poller_wait(Poller *p, int ms)
{
    struct epoll_event events[4];
    int n = epoll_wait(p->epoll, events, 4, ms), base = 0;
    for (int i = 0; i < n; i++) {
        base |= events[i].data.u32 == TAG_BASE;
        if (events[i].data.u32 == TAG_DOORBELL && p->doorbell_is_pipe)
            drain(p->doorbell);
    }
    return n < 0 ? -1 : base;
}

#else

int poller_open(Poller *p, int doorbell)
{
    int fds[2];
    memset(p, 0, sizeof *p);
    p->doorbell = doorbell;
    p->base = p->epoll = p->wake_read = p->wake_write = -1;
    if (pipe(fds) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK) < 0) {
            close(fds[0]);
            close(fds[1]);
            return -1;
        }
    p->wake_read = fds[0];
    p->wake_write = fds[1];
    return 0;
}

void poller_close(Poller *p)
{
    if (p->wake_read >= 0) {
        close(p->wake_read);
        close(p->wake_write);
    }
    p->wake_read = p->wake_write = -1;
}

int poller_set_base(Poller *p, int fd)
{
    p->base = fd;
    return 0;
}

int poller_wait(Poller *p, int ms)
{
    struct pollfd fds[3] = {{p->doorbell, POLLIN, 0}, {p->wake_read, POLLIN, 0}, {p->base, POLLIN, 0}};
    int n = poll(fds, p->base < 0 ? 2 : 3, ms);
    if (n < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (fds[i].revents & POLLIN)
            drain(fds[i].fd);
    return p->base >= 0 && fds[2].revents != 0;
}

#endif
