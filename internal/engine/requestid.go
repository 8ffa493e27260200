package engine

import "encoding/binary"

// requestIDs makes the ids of one loop: 8 bytes that tell the process, 8 that tell the request. The latter are a
// counter with the loop's index in its top byte, multiplied by an odd random number: that maps 64-bit numbers one to
// one, so ids never repeat, and an id does not tell how many requests there were.
type requestIDs struct {
	process uint64
	factor  uint64
	next    uint64
}

func newRequestIDs(random [16]byte, loop int) requestIDs {
	return requestIDs{
		process: binary.LittleEndian.Uint64(random[:8]),
		factor:  binary.LittleEndian.Uint64(random[8:]) | 1,
		next:    uint64(loop) << 56,
	}
}

func (r *requestIDs) put(id *[16]byte) {
	r.next++
	binary.LittleEndian.PutUint64(id[:8], r.process)
	binary.BigEndian.PutUint64(id[8:], r.next*r.factor)
}
