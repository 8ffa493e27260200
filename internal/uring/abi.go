//go:build linux && (amd64 || arm64)

package uring

// The layouts and numbers of this file are the kernel's: include/uapi/linux/io_uring.h.

// sqe is a submission queue entry:
//
//	 0      1      2        4        8           16          24      28
//	┌──────┬──────┬────────┬────────┬───────────┬───────────┬───────┬───────┐
//	│opcode│flags │ ioprio │   fd   │ off/addr2 │   addr    │  len  │ flags │
//	├──────┴──────┴────────┴────────┼───────────┼───────────┴───────┴───────┤
//	│ user_data                     │ buf group │ personality, file index … │
//	└───────────────────────────────┴───────────┴───────────────────────────┘
//	 32                              40          42                      64
type sqe struct {
	opcode      uint8
	flags       uint8
	ioprio      uint16
	fd          int32
	off         uint64
	addr        uint64
	len         uint32
	opFlags     uint32
	userData    uint64
	bufGroup    uint16
	personality uint16
	fileIndex   int32
	addr3       uint64
	_           uint64
}

// CQE is a completion: what became of one submission, or of one event of a multishot submission.
type CQE struct {
	// UserData is what was given with the submission.
	UserData uint64
	// Res is the result of the operation, or a negated errno.
	Res int32
	// Flags are the CQE flags: see More and Buffer.
	Flags uint32
}

// The bits of CQE.Flags.
const (
	cqeBuffer = 1 << 0
	cqeMore   = 1 << 1
	cqeNotify = 1 << 3

	cqeBufferShift = 16
)

// More reports whether the submission stays armed and will complete again. Once it is false the submission is over:
// a multishot one must be made again, or it stops without further notice.
func (c CQE) More() bool { return c.Flags&cqeMore != 0 }

// Released reports whether the completion is the second one of a SendZeroCopy: the kernel is done with its bytes.
func (c CQE) Released() bool { return c.Flags&cqeNotify != 0 }

// Buffer returns the number of the provided buffer that holds the received bytes; ok is false when none was taken.
func (c CQE) Buffer() (id uint16, ok bool) {
	return uint16(c.Flags >> cqeBufferShift), c.Flags&cqeBuffer != 0
}

type sqOffsets struct {
	head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
	_                                                           uint64
}

type cqOffsets struct {
	head, tail, ringMask, ringEntries, overflow, cqes, flags, _ uint32
	_                                                           uint64
}

type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     sqOffsets
	cq                                                                     cqOffsets
}

// timespec is struct __kernel_timespec.
type timespec struct{ sec, nsec int64 }

// msghdr is struct msghdr, and iovec struct iovec, with numbers for addresses.
type msghdr struct {
	name                             uint64
	nameLen, _                       uint32
	iov, iovLen, control, controlLen uint64
	flags, _                         uint32
}

type iovec struct{ base, len uint64 }

// eventsArg is struct io_uring_getevents_arg.
type eventsArg struct {
	sigmask   uint64
	sigmaskSz uint32
	minWait   uint32
	ts        uint64
}

// bufReg is struct io_uring_buf_reg.
type bufReg struct {
	addr    uint64
	entries uint32
	group   uint16
	flags   uint16
	_       [3]uint64
}

// bufEntry is struct io_uring_buf, an entry of a provided-buffer ring. The last two bytes of the first entry are the
// ring's tail.
type bufEntry struct {
	addr uint64
	len  uint32
	id   uint16
	tail uint16
}

// Operations.
const (
	opPollAdd     = 6
	opSendMsg     = 9
	opAccept      = 13
	opAsyncCancel = 14
	opClose       = 19
	opSend        = 26
	opRecv        = 27
	opSendZC      = 47
	opSendMsgZC   = 48
)

// Flags of submissions.
const (
	sqeBufferSelect = 1 << 5
	sqeSkipSuccess  = 1 << 6

	acceptMultishot = 1 << 0 // in ioprio
	recvMultishot   = 1 << 1 // in ioprio
	pollAddMulti    = 1 << 0 // in len

	cancelAll = 1 << 0
	cancelFD  = 1 << 1
)

// Flags of io_uring_setup.
const (
	setupCQSize       = 1 << 3
	setupClamp        = 1 << 4
	setupSubmitAll    = 1 << 7
	setupCoopTaskrun  = 1 << 8
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13
)

// Feature bits that io_uring_setup returns.
const (
	featSingleMmap   = 1 << 0
	featNoDrop       = 1 << 1
	featSubmitStable = 1 << 2
	featExtArg       = 1 << 8

	// needed are the features without which a Ring does not work: one mapping for both rings, completions that are
	// never lost, submissions whose memory is read during the call, waits with a timeout. All exist since Linux 5.11.
	needed = featSingleMmap | featNoDrop | featSubmitStable | featExtArg
)

// Flags of io_uring_enter.
const (
	enterGetEvents = 1 << 0
	enterExtArg    = 1 << 3
)

// Opcodes of io_uring_register.
const (
	registerProbe    = 8
	registerPbufRing = 22
)

// Offsets for mmap of a ring's descriptor.
const (
	offSQRing = 0
	offSQEs   = 0x10000000
)
