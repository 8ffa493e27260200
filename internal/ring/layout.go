package ring

// This file is the one truth about the shared memory of an engine and one worker. layout.md draws it and
// python/csrc/layout_gen.h repeats it for C; both are generated from the tables here and in package frame.
//
// One region a worker, one memfd:
//
//	0                 the region header, one page: RegionX offsets
//	ControlStart      a control block of ControlSize bytes for each I/O loop: ControlX offsets
//	DataStart(loops)  for each loop: the data of its request ring, then of its answer ring
//
// All numbers are little endian and naturally aligned. A counter (head, tail) is the number of bytes ever consumed or
// produced; its place in the data is the counter modulo the ring's size, which is a power of two. Each side maps the
// data of every ring twice in a row, so a frame is always contiguous.
//
// The protocol of "publish, then look whether the other side sleeps" needs sequentially consistent stores and loads
// on both sides; acquire and release alone lose wake-ups.
const (
	// Magic begins a region: "COVETSHM" in memory order.
	Magic = 0x4d48535445564f43
	// Version of this layout and of the frames. Engine and worker refuse each other when it differs.
	Version = 1

	// PageSize that offsets of ring data are aligned to. (Kernels with larger pages use theirs: a power of two times
	// this. See RoundToPage.)
	PageSize = 4096

	// Region header.
	RegionMagic        = 0  // u64
	RegionVersion      = 8  // u32
	RegionLoops        = 12 // u32: number of control blocks
	RegionRequestBytes = 16 // u32: size of each request ring
	RegionAnswerBytes  = 20 // u32: size of each answer ring
	RegionDataStart    = 24 // u32: offset of the first ring's data
	RegionCredit       = 28 // u32: how many exchanges the worker takes at once, all loops together; written by the worker before it is ready

	// A cache line that the worker writes and the supervisor reads.
	RegionAsleep    = 64 // u32: 1 while the worker is about to block; whoever exchanges it to 0 rings the doorbell
	RegionProgress  = 72 // u64: grows whenever the worker's event loop comes round or a handler step ends
	RegionBusySince = 80 // u64: CLOCK_MONOTONIC ns at which the running handler step began; 0 between steps
	RegionBusySlot  = 88 // u32: the slot, and
	RegionBusyLoop  = 92 // u32: the loop of the exchange that the running step belongs to
	RegionHandled   = 96 // u64: exchanges answered since the start

	// ControlStart is where the control blocks begin, ControlSize the distance between two.
	ControlStart = 4096
	ControlSize  = 512

	// Control block of one loop. Each line has one writer.
	ControlRequestTail = 0   // u64, engine: bytes produced
	ControlRequestHead = 64  // u64, worker: bytes consumed
	ControlAnswerTail  = 128 // u64, worker: bytes produced
	ControlAnswerHead  = 192 // u64, engine: bytes consumed
	ControlAsleep      = 256 // u32: 1 while the loop is about to block; whoever exchanges it to 0 rings its doorbell
	ControlStarved     = 320 // u32, worker sets, engine exchanges to 0 after it has consumed: the worker waits for space in the answer ring and wants its doorbell rung
)
