//go:build linux && (amd64 || arm64)

package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The methods of this file prepare one submission each. They return false, and have done nothing, when the
// submission queue is full: take completions and try again in the next turn.

// Accept accepts connections on fd until it fails or is cancelled: each completion's Res is a new descriptor with
// the given SOCK_ flags. The listening descriptor must be in blocking mode, else the submission ends with EAGAIN
// instead of waiting.
func (r *Ring) Accept(fd, flags int, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.ioprio, e.fd, e.opFlags, e.userData = opAccept, acceptMultishot, int32(fd), uint32(flags), userData
	r.push()
	return true
}

// Recv receives on fd, whether it is in blocking mode or not, into provided buffers of the group until end of input, an
// error, a lack of buffers (ENOBUFS) or cancellation.
func (r *Ring) Recv(fd int, group uint16, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.flags, e.ioprio, e.fd = opRecv, sqeBufferSelect, recvMultishot, int32(fd)
	e.bufGroup, e.userData = group, userData
	r.push()
	return true
}

// Send sends p, which is not empty, or a first part of it. P must stay until the completion. More says that other
// output follows at once: a packet that is not full waits for it.
func (r *Ring) Send(fd int, p []byte, more bool, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.fd, e.opFlags, e.userData = opSend, int32(fd), sendFlags(more), userData
	e.addr, e.len = uint64(uintptr(unsafe.Pointer(&p[0]))), uint32(min(len(p), sendMax))
	r.push()
	return true
}

func sendFlags(more bool) uint32 {
	if more {
		return unix.MSG_NOSIGNAL | unix.MSG_MORE
	}
	return unix.MSG_NOSIGNAL
}

// sendMax is the most that one submission sends: results are 32 bits wide.
const sendMax = 1 << 30

// SendVec sends the first pieces of v, none of them empty, or a first part of them. The bytes must stay until the
// completion; v itself need not. More is as with Send.
func (r *Ring) SendVec(fd int, v [][]byte, more bool, userData uint64) bool {
	if len(v) == 1 {
		return r.Send(fd, v[0], more, userData)
	}
	e := r.next()
	if e == nil {
		return false
	}
	r.setVec(e, v)
	e.opcode, e.fd, e.opFlags, e.userData = opSendMsg, int32(fd), sendFlags(more), userData
	r.push()
	return true
}

// setVec gives e the pieces of v, by a message header in memory that belongs to the entry.
func (r *Ring) setVec(e *sqe, v [][]byte) {
	s := &r.vecs[r.tail&r.sqMask]
	n := min(len(v), vecMax)
	for i := range n {
		s.iov[i] = iovec{base: uint64(uintptr(unsafe.Pointer(&v[i][0]))), len: uint64(len(v[i]))}
	}
	s.hdr = msghdr{iov: uint64(uintptr(unsafe.Pointer(&s.iov[0]))), iovLen: uint64(n)}
	e.addr, e.len = uint64(uintptr(unsafe.Pointer(&s.hdr))), 1
}

// SendZeroCopy is SendVec without copying, where the socket can. The first completion tells the result; when it has
// More, a second one, for which Released is true, tells that the kernel is done with the bytes: only then they may be
// used again. A socket that cannot completes with EOPNOTSUPP.
func (r *Ring) SendZeroCopy(fd int, v [][]byte, more bool, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	if len(v) == 1 {
		e.opcode, e.addr, e.len = opSendZC, uint64(uintptr(unsafe.Pointer(&v[0][0]))), uint32(min(len(v[0]), sendMax))
	} else {
		r.setVec(e, v)
		e.opcode = opSendMsgZC
	}
	e.fd, e.opFlags, e.userData = int32(fd), sendFlags(more), userData
	r.push()
	return true
}

// Room completes once, when fd can be written to or has an error.
func (r *Ring) Room(fd int, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.fd, e.opFlags, e.userData = opPollAdd, int32(fd), unix.POLLOUT, userData
	r.push()
	return true
}

// Poll reports each time that fd becomes readable, until cancelled. It is edge-triggered: a descriptor that stays
// readable, such as an eventfd that is never read, reports each further write.
func (r *Ring) Poll(fd int, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.fd, e.len, e.opFlags, e.userData = opPollAdd, int32(fd), pollAddMulti, unix.POLLIN, userData
	r.push()
	return true
}

// Cancel cancels the submission with the user data target. Its completions, if any, come before or after that of
// the cancellation, whose own completion is posted only when it fails: ENOENT when there was nothing to cancel.
func (r *Ring) Cancel(target, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.flags, e.fd, e.addr, e.userData = opAsyncCancel, sqeSkipSuccess, -1, target, userData
	r.push()
	return true
}

// CancelFD cancels every submission on fd. Completions are as with Cancel.
func (r *Ring) CancelFD(fd int, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.flags, e.fd, e.opFlags, e.userData = opAsyncCancel, sqeSkipSuccess, int32(fd), cancelFD|cancelAll, userData
	r.push()
	return true
}

// CloseFD closes fd, and completes only when that fails.
func (r *Ring) CloseFD(fd int, userData uint64) bool {
	e := r.next()
	if e == nil {
		return false
	}
	e.opcode, e.flags, e.fd, e.userData = opClose, sqeSkipSuccess, int32(fd), userData
	r.push()
	return true
}
