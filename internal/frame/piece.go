package frame

import "encoding/binary"

// SizePiece is the length of a BODY or CHUNK frame with n bytes of data.
func SizePiece(n int) int { return Pad(PieceData + n) }

// PutPiece writes a BODY (or, for fakes, a CHUNK) frame into f, which is SizePiece(len(data)) long.
func PutPiece(f []byte, h Head, data []byte) {
	putHead(f, h)
	binary.LittleEndian.PutUint32(f[PieceLength:], uint32(len(data)))
	clear(f[PieceLength+4 : PieceData])
	n := copy(f[PieceData:], data)
	clear(f[PieceData+n:])
}

// ParsePiece returns the data of a CHUNK or BODY frame.
func ParsePiece(f []byte) ([]byte, error) {
	if len(f) < PieceData {
		return nil, &Error{f[Type], "shorter than its fixed part"}
	}
	n := uint64(binary.LittleEndian.Uint32(f[PieceLength:]))
	if n > MaxChunk || n > uint64(len(f)-PieceData) {
		return nil, &Error{f[Type], "its data does not fit"}
	}
	return f[PieceData : PieceData+n : PieceData+n], nil
}

// PutSignal writes a BODYEND, CANCEL, CREDIT (or, for fakes, WANT) frame into f, which is SignalSize long: the value
// is the reason or the number of bytes.
func PutSignal(f []byte, h Head, value uint32) {
	putHead(f, h)
	binary.LittleEndian.PutUint32(f[Reason:], value)
	clear(f[Reason+4 : SignalSize])
}

// ParseSignal returns the reason or the number of bytes of a WANT, BODYEND, CANCEL or CREDIT frame.
func ParseSignal(f []byte) (uint32, error) {
	if len(f) < SignalSize {
		return 0, &Error{f[Type], "shorter than its fixed part"}
	}
	return binary.LittleEndian.Uint32(f[Reason:]), nil
}

// PutEnd writes an END or CANCELLED frame, which is a head only, into f, which is HeadSize long: for fakes.
func PutEnd(f []byte, h Head) { putHead(f, h) }
