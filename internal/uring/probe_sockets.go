//go:build linux && (amd64 || arm64)

package uring

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func (r *Ring) trySockets(bufs *Buffers) error {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer closeAll(p[:])
	r.Recv(p[0], bufs.Group(), 1)
	text := []byte("ping")
	for range 2 { // twice: the second one shows that it stayed armed
		if !r.Send(p[1], text, false, 2) {
			return errSilent
		}
		if c, err := r.want(2, false); err != nil || int(c.Res) != len(text) {
			return errors.Join(fmt.Errorf("sent %d bytes of %d", c.Res, len(text)), err)
		}
		c, err := r.want(1, true)
		if err != nil {
			return err
		}
		id, ok := c.Buffer()
		if !ok || !bytes.Equal(bufs.Bytes(id, int(c.Res)), text) {
			return errors.New("the provided buffer does not hold what was sent")
		}
		bufs.Return(id)
		bufs.Publish()
	}
	return r.cancelAndReap(1)
}

// tryNonBlocking sees that a receive, and a send into a full socket, wait although the descriptors are in non-blocking
// mode: sendfile needs that mode, and must not cost the rest its waiting.
func (r *Ring) tryNonBlocking(bufs *Buffers) error {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer closeAll(p[:])
	block := make([]byte, 64<<10)
	for { // until nothing more fits
		if _, err := unix.Write(p[1], block); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			return err
		}
	}
	r.Recv(p[1], bufs.Group(), 5)
	r.Send(p[1], block, false, 6)
	if err := r.Submit(); err != nil {
		return err
	}
	if r.Ready() {
		return fmt.Errorf("did not wait: %w", errUnsupported)
	}
	for range 1 << 10 { // until it is empty and the send has had room
		if _, err := unix.Read(p[0], block); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			return err
		}
	}
	if _, err := r.want(6, false); err != nil {
		return err
	}
	if _, err := unix.Write(p[0], block[:4]); err != nil {
		return err
	}
	c, err := r.want(5, true)
	if err != nil {
		return err
	}
	if id, ok := c.Buffer(); ok {
		bufs.Return(id)
		bufs.Publish()
	}
	return r.cancelAndReap(5)
}

// tryZeroCopy sends over a TCP connection of loopback: only such sockets can.
func (r *Ring) tryZeroCopy() error {
	p, err := loopback()
	if err != nil {
		return err
	}
	defer closeAll(p[:])
	text := []byte("ping")
	for _, v := range [][][]byte{{text}, {text, text}} {
		r.SendZeroCopy(p[0], v, false, 7)
		c, err := r.one()
		if err != nil {
			return err
		}
		if c.Res < 0 {
			return unix.Errno(-c.Res)
		}
		if int(c.Res) != len(v)*len(text) || c.Released() {
			return fmt.Errorf("sent %d bytes of %d: %w", c.Res, len(v)*len(text), errUnsupported)
		}
		if !c.More() {
			continue
		}
		got := make([]byte, c.Res)
		if _, err := unix.Read(p[1], got); err != nil { // the bytes are released when they have been read, at the latest
			return err
		}
		if c, err = r.one(); err != nil {
			return err
		}
		if !c.Released() || c.More() {
			return fmt.Errorf("the bytes were not released: %w", errUnsupported)
		}
	}
	return nil
}

// loopback returns the two ends of a TCP connection.
func loopback() (p [2]int, err error) {
	p = [2]int{-1, -1}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return p, err
	}
	defer unix.Close(l)
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return p, err
	}
	if err := unix.Listen(l, 1); err != nil {
		return p, err
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		return p, err
	}
	if p[1], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return p, err
	}
	if err = unix.Connect(p[1], name); err == nil {
		p[0], _, err = unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	}
	if err != nil {
		_ = unix.Close(p[1])
	}
	return p, err
}
