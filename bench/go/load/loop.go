package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

type settings struct {
	addr           string
	connections    int
	warmup, length time.Duration
	rate           float64
	depth          int
	perConn        int
	timeout        time.Duration
	idle           bool
}

// report is what is printed at the end. Times are nanoseconds; a broken or wrong answer is in Failed and in no latency.
type report struct {
	Requests int64   `json:"requests"`
	Failed   int64   `json:"failed"`
	Failure  string  `json:"failure,omitempty"` // the first
	Late     int64   `json:"late"`              // due in the measured time, and not answered a second after it
	Duration int64   `json:"duration_ns"`
	Received int64   `json:"received_bytes"`
	Opened   int64   `json:"opened"` // connections
	Mean     int64   `json:"mean_ns"`
	P50      int64   `json:"p50_ns"`
	P90      int64   `json:"p90_ns"`
	P99      int64   `json:"p99_ns"`
	P999     int64   `json:"p999_ns"`
	Max      int64   `json:"max_ns"`
	CPU      float64 `json:"client_cpu_s"` // this process, in the measured time
	Alive    int     `json:"alive"`        // idle: connections still open at the end
}

// loop is the whole generator. All connections belong to its one thread.
type loop struct {
	settings
	asks   []ask
	server unix.SockaddrInet4
	epoll  int
	timer  int
	conns  []conn
	events []unix.EpollEvent
	buf    []byte
	next   int // the request of the plan that is next

	begun     time.Time
	measuring bool
	latency   histogram
	sum       int64
	r         report
	opened    int64
	received  int64
	now       int64 // nanoseconds since begun; read once a batch
	checked   int64 // when to look for overdue answers again

	// The arrivals of an open loop: how many were due, how many were sent, and who can send.
	start, due, sent int64
	end              int64
	free             []int // a ring: the connection that has rested longest is next
	freeAt, freeLen  int
}

// after the measured time, what is under way may still be answered for so long.
const grace = int64(time.Second)

func newLoop(s settings, asks []ask) (*loop, error) {
	server, err := parseAddr(s.addr)
	if err != nil {
		return nil, err
	}
	if s.connections < 1 || s.depth < 1 || s.rate < 0 || s.rate > 0 && (s.depth > 1 || s.perConn > 0) {
		return nil, errors.New("settings that do not go together")
	}
	l := &loop{
		settings: s, asks: asks, server: server, timer: -1, conns: make([]conn, s.connections),
		events: make([]unix.EpollEvent, 512), buf: make([]byte, 256<<10), free: make([]int, s.connections),
		begun: time.Now(),
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.timer, &event); err != nil {
		return nil, err
	}
	for i := range l.conns {
		c := &l.conns[i]
		c.index, c.fd, c.asked = i, -1, make([]pending, 0, s.depth)
	}
	return l, nil
}

func (l *loop) close() {
	for i := range l.conns {
		if l.conns[i].fd >= 0 {
			_ = unix.Close(l.conns[i].fd)
		}
	}
	_ = unix.Close(l.timer)
	_ = unix.Close(l.epoll)
}

// measure loads the server, and counts what belongs to the measured time.
func (l *loop) measure(out io.Writer) (*report, error) {
	for i := range l.conns {
		if err := l.open(&l.conns[i]); err != nil {
			return nil, err
		}
		if l.rate == 0 {
			if err := l.send(&l.conns[i], l.tick()); err != nil {
				return nil, err
			}
		} else {
			l.rest(&l.conns[i])
		}
	}
	l.start = l.tick()
	from := l.start + int64(l.warmup)
	l.end = from + int64(l.length)
	var cpu float64
	for l.tick() < l.end {
		if !l.measuring && l.now >= from {
			l.measuring = true
			l.r, l.latency, l.sum, l.received = report{}, histogram{}, 0, 0
			l.start, l.due, l.sent = l.now, 0, 0
			l.end = l.now + int64(l.length)
			cpu = spent()
			fmt.Fprintln(out, "BEGIN")
			continue
		}
		if err := l.turn(from); err != nil {
			return nil, err
		}
	}
	l.r.CPU = spent() - cpu
	l.r.Duration = l.now - l.start
	fmt.Fprintln(out, "END")
	if l.rate > 0 {
		l.drain()
	}
	l.r.Received, l.r.Opened = l.received, l.opened
	l.sums()
	return &l.r, nil
}

// drain gives what was due in time a moment to be answered, and counts the rest as late, with the time it has waited: leaving
// out what was never answered would flatter the server.
func (l *loop) drain() {
	until := l.end + grace
	l.due = l.arrivals(l.end)
	for l.tick() < until && (l.sent < l.due || l.busy()) {
		if l.turn(l.end) != nil {
			break
		}
	}
	l.tick()
	for i := range l.conns {
		for c := &l.conns[i]; c.at < len(c.asked); c.at++ {
			l.late(c.asked[c.at].since)
		}
	}
	for ; l.sent < l.due; l.sent++ {
		l.late(l.dueAt(l.sent))
	}
}

func (l *loop) late(since int64) {
	l.r.Late++
	l.latency.add(l.now - since)
	l.sum += l.now - since
}

func (l *loop) busy() bool {
	for i := range l.conns {
		if !l.conns[i].idle() {
			return true
		}
	}
	return false
}

func (l *loop) sums() {
	h := &l.latency
	if h.total > 0 {
		l.r.Mean = l.sum / int64(h.total)
	}
	l.r.P50, l.r.P90, l.r.P99, l.r.P999, l.r.Max = h.quantile(.5), h.quantile(.9), h.quantile(.99), h.quantile(.999), h.most
}

func (l *loop) tick() int64 {
	l.now = int64(time.Since(l.begun))
	return l.now
}

// turn waits for events, at most until the given time or the next arrival, and handles them.
func (l *loop) turn(until int64) error {
	if l.rate > 0 {
		if err := l.arrive(); err != nil {
			return err
		}
		if l.freeLen > 0 && l.sent >= l.due {
			until = min(until, l.dueAt(l.due))
		}
	}
	if l.rate > 0 {
		// Milliseconds, which epoll_wait counts in, are too coarse for arrivals.
		wait := unix.NsecToTimespec(max(until-int64(time.Since(l.begun)), 1))
		if err := unix.TimerfdSettime(l.timer, 0, &unix.ItimerSpec{Value: wait}, nil); err != nil {
			return err
		}
	}
	n, err := unix.EpollWait(l.epoll, l.events, 20)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	l.tick()
	for _, e := range l.events[:max(n, 0)] {
		if e.Fd < 0 {
			var expired [8]byte
			_, _ = unix.Read(l.timer, expired[:])
			continue
		}
		c := &l.conns[e.Fd]
		if err := l.handle(c, e.Events); err != nil {
			if err := l.again(c, err); err != nil {
				return err
			}
		}
	}
	return l.expire()
}

// handle does what an event asks for, and lets the connection go on.
func (l *loop) handle(c *conn, events uint32) error {
	if events&unix.EPOLLOUT != 0 {
		if err := l.write(c); err != nil {
			return err
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return nil
	}
	was := c.idle()
	if err := l.read(c); err != nil {
		return err
	}
	if was || !c.idle() || l.idle {
		return nil
	}
	if c.reader.closing || l.perConn > 0 && c.total >= l.perConn {
		return io.EOF
	}
	if l.rate > 0 {
		l.rest(c)
		return nil
	}
	return l.send(c, l.now)
}

// again opens a connection anew: because it was its time (EOF), or because something broke.
func (l *loop) again(c *conn, why error) error {
	rested := c.idle()
	if !errors.Is(why, io.EOF) {
		lost := max(len(c.asked)-c.at, 1)
		l.r.Failed += int64(lost)
		if l.r.Failure == "" {
			l.r.Failure = why.Error()
		}
	}
	_ = unix.Close(c.fd)
	c.fd = -1
	if l.idle {
		return fmt.Errorf("a connection ended: %w", why)
	}
	if err := l.open(c); err != nil {
		return err
	}
	if l.rate == 0 {
		return l.send(c, l.now)
	}
	// One that was resting is in the ring already.
	if !rested || !l.resting(c.index) {
		l.rest(c)
	}
	return nil
}

// send asks the next requests of the plan on c, due at the given time.
func (l *loop) send(c *conn, since int64) error {
	c.asked, c.at = c.asked[:0], 0
	if l.depth == 1 {
		a := &l.asks[l.next]
		c.out, c.fill = a.Head, a.Fill
		l.push(c, since)
	} else {
		c.out = c.out[:0:0]
		for range l.depth {
			c.out = append(c.out, l.asks[l.next].Head...)
			l.push(c, since)
		}
	}
	err := l.write(c)
	// A connection that is not there yet is written once it is.
	if errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.EPIPE) && c.total <= l.depth {
		return l.arm(c, true)
	}
	if err != nil {
		return l.again(c, err)
	}
	return nil
}

func (l *loop) push(c *conn, since int64) {
	c.asked = append(c.asked, pending{l.next, since, l.measuring})
	c.total++
	if l.next++; l.next == len(l.asks) {
		l.next = 0
	}
}

// answered counts a right answer.
func (l *loop) answered(c *conn, p pending) {
	c.at++
	if !l.measuring {
		return
	}
	// An answer counts where it arrives. At a fixed rate a latency belongs to what was due in the measured time: what
	// was due before it waits for reasons that are no part of it.
	if l.now <= l.end {
		l.r.Requests++
	}
	if p.count || l.rate == 0 {
		l.latency.add(l.now - p.since)
		l.sum += l.now - p.since
	}
}

// expire counts requests whose answer never comes. It looks at every connection, so it does that rarely.
func (l *loop) expire() error {
	if l.now < l.checked {
		return nil
	}
	l.checked = l.now + int64(l.timeout)/8
	for i := range l.conns {
		c := &l.conns[i]
		if !c.idle() && l.now-c.asked[c.at].since > int64(l.timeout) {
			if err := l.again(c, errors.New("no answer in time")); err != nil {
				return err
			}
		}
	}
	return nil
}

func spent() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// hold opens all connections, asks once on each, and keeps them until a line comes in.
func (l *loop) hold(in io.Reader, out io.Writer) (*report, error) {
	const together = 128
	deadline := l.tick() + int64(5*time.Minute)
	for from := 0; from < len(l.conns); from += together {
		batch := l.conns[from:min(from+together, len(l.conns))]
		for i := range batch {
			if err := l.open(&batch[i]); err != nil {
				return nil, err
			}
			if err := l.send(&batch[i], l.tick()); err != nil {
				return nil, err
			}
		}
		for open := true; open; {
			if l.tick() > deadline {
				return nil, errors.New("the connections cannot be opened in time")
			}
			if err := l.turn(l.now + int64(10*time.Millisecond)); err != nil {
				return nil, err
			}
			open = false
			for i := range batch {
				open = open || !batch[i].idle()
			}
		}
	}
	fmt.Fprintln(out, "BEGIN")
	_, _ = bufio.NewReader(in).ReadString('\n')
	for i := range l.conns {
		n, err := unix.Read(l.conns[i].fd, l.buf)
		if n != 0 && errors.Is(err, unix.EAGAIN) {
			l.r.Alive++
		}
	}
	fmt.Fprintln(out, "END")
	l.r.Opened = l.opened
	return &l.r, nil
}
