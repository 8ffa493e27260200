package main

import (
	"errors"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"
)

// conn is a connection and the requests under way on it.
type conn struct {
	fd     int
	index  int
	asked  []pending // in the order in which they were sent; at is the first that has no answer yet
	at     int
	out    []byte // what of a head is still to be written
	fill   int    // what of a long body is still to be written
	total  int    // requests sent on this connection
	armed  bool   // epoll tells when it can be written
	reader reader
}

type pending struct {
	ask   int
	since int64 // when it was sent, or was due
	count bool  // it belongs to the measured time
}

func (c *conn) idle() bool { return c.at == len(c.asked) }

// filler is the content of long bodies.
var filler [256 << 10]byte

// open starts to connect. Sources are loopback addresses of their own for every 20,000 connections: one has only so
// many ports.
func (l *loop) open(c *conn) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	*c = conn{fd: fd, index: c.index, asked: c.asked[:0], reader: reader{part: c.reader.part[:0]}}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	l.opened++
	if source := byte(l.opened / perSource % 200); source > 0 && l.server.Addr == [4]byte{127, 0, 0, 1} {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 1, source}}); err != nil {
			return err
		}
	}
	if err := unix.Connect(fd, &l.server); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.index)}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &event)
}

const perSource = 20000

// write sends what is to be sent, as far as the kernel takes it.
func (l *loop) write(c *conn) error {
	for len(c.out) > 0 || c.fill > 0 {
		piece := c.out
		if len(piece) == 0 {
			piece = filler[:min(c.fill, len(filler))]
		}
		n, err := unix.Write(c.fd, piece)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return l.arm(c, true)
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		if len(c.out) > 0 {
			c.out = c.out[n:]
		} else {
			c.fill -= n
		}
	}
	return l.arm(c, false)
}

func (l *loop) arm(c *conn, on bool) error {
	if c.armed == on {
		return nil
	}
	c.armed = on
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.index)}
	if on {
		event.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &event)
}

// read takes what has arrived and counts the answers in it.
func (l *loop) read(c *conn) error {
	for {
		n, err := unix.Read(c.fd, l.buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		l.received += int64(n)
		if n == 0 {
			return l.ended(c)
		}
		data := l.buf[:n]
		for len(data) > 0 {
			if c.idle() {
				return errors.New("bytes that nobody asked for")
			}
			p := c.asked[c.at]
			rest, done, err := c.reader.feed(data, &l.asks[p.ask])
			if err != nil {
				return err
			}
			data = rest
			if done {
				l.answered(c, p)
			}
		}
		if n < len(l.buf) {
			return nil
		}
	}
}

// ended handles the end of what the server sends.
func (l *loop) ended(c *conn) error {
	if c.idle() {
		return io.EOF
	}
	p := c.asked[c.at]
	done, err := c.reader.finish(&l.asks[p.ask])
	if err != nil {
		return err
	}
	if done {
		l.answered(c, p)
	}
	if !c.idle() {
		return errors.New("the connection ended in the middle of an answer")
	}
	return io.EOF
}

func parseAddr(text string) (unix.SockaddrInet4, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return unix.SockaddrInet4{}, err
	}
	if !a.Addr().Is4() {
		return unix.SockaddrInet4{}, errors.New("only IPv4 addresses")
	}
	return unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, nil
}
