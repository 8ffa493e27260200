package frame

// This file is the one truth about the frames in the rings. frame.md draws them and python/csrc/layout_gen.h repeats
// them for C.
//
// A frame begins at a multiple of 8 and is a multiple of 8 long. Offsets inside a frame count from its first byte.
// A span is two u32: offset, length. The reader of a frame trusts nothing in it: it checks every offset and length
// against the frame's own Length, which it has read once.
//
// Every REQUEST gets exactly one final answer: RESPONSE, ERROR, END or CANCELLED. Until it arrives the slot is taken.
const (
	// MaxFrame bounds the length of any frame.
	MaxFrame = 160 << 10
	// MaxInline bounds the body inside a REQUEST or a RESPONSE; larger bodies stream.
	MaxInline = 64 << 10
	// MaxChunk bounds the data of one BODY or CHUNK.
	MaxChunk = 32 << 10
	// Align is the alignment of frames.
	Align = 8
	// StreamWindow is how many bytes of CHUNK data a response stream may send before its first CREDIT: START does not
	// have to wait for one, and an engine buffers at most this much for each stream of a slow client.
	StreamWindow = 256 << 10

	// The common head.
	Length     = 0  // u32: of the whole frame with its padding
	Type       = 4  // u8: TypeX
	Flags      = 5  // u8: by type
	Route      = 6  // u16: REQUEST: the worker's number of the route
	Slot       = 8  // u32: the engine's place of the exchange on this loop's link
	Generation = 12 // u32: of that place; an answer that repeats an older one is dropped
	HeadSize   = 16
)

// Types of frames, down from the engine.
const (
	TypeRequest = 1 // a request
	TypeBody    = 2 // a piece of its body
	TypeBodyEnd = 3 // the body is complete, or never will be
	TypeCancel  = 4 // nobody waits for the answer any more; the final answer is still owed
	TypeCredit  = 5 // the response stream may run ahead by so many bytes more
	TypePad     = 6 // nothing; skip (both ways)
)

// Types of frames, up from the worker.
const (
	TypeResponse  = 32 // a whole response: final
	TypeStart     = 33 // the head of a streamed response
	TypeChunk     = 34 // a piece of its body; counts against the credit
	TypeEnd       = 35 // its end: final
	TypeError     = 36 // a structured error, which the engine renders: final
	TypeWant      = 37 // so many bytes more of the request body may be sent
	TypeCancelled = 38 // the exchange ended without an answer after CANCEL: final
	TypeInform    = 39 // an interim response before the answer, laid out as a RESPONSE without body
)

// REQUEST.
const (
	RequestMethod        = 16  // u8: message.Method
	RequestVersion       = 17  // u8: message.Version
	RequestFieldCount    = 18  // u16
	RequestParamCount    = 20  // u16
	RequestContentLength = 24  // i64: -1 unknown
	RequestID            = 32  // 16 bytes
	RequestMethodName    = 48  // span
	RequestTarget        = 56  // span: as received, with the query
	RequestPath          = 64  // span: canonical
	RequestQuery         = 72  // span: raw
	RequestAuthority     = 80  // span
	RequestBody          = 88  // span: the whole body, unless FlagBodyFollows
	RequestRemoteAddr    = 96  // 16 bytes: IPv6, or IPv4 in the first 4
	RequestLocalAddr     = 112 // 16 bytes
	RequestRemotePort    = 128 // u16
	RequestLocalPort     = 130 // u16
	RequestFamily        = 132 // u8: 4, 6, or 0 for a Unix socket
	RequestFields        = 136 // u32: offset of the table of FieldCount entries: name span, value span
	RequestParams        = 140 // u32: offset of the table of ParamCount entries: span of the value in the canonical path
	RequestHot           = 144 // u16 × message.HotCount: index in Fields, 0xffff for none
	RequestSize          = 160
	FieldEntry           = 16 // bytes of an entry of Fields
	ParamEntry           = 8  // bytes of an entry of Params

	// Flags.
	FlagBodyFollows = 1 // the body streams: WANT asks for it
	FlagTLS         = 2
	FlagPathEscaped = 4 // params may hold %2F or %25, to be decoded once more
	FlagExpect      = 8 // the client waits for 100 (Continue): WANT sends it

	// NoField is RequestHot's "none".
	NoField = 0xffff
)

// BODY and CHUNK: u32 length of the data, the data from PieceData.
const (
	PieceLength = 16 // u32: bytes of data
	PieceData   = 24 // bytes: the data
)

// BODYEND and CANCEL: u32 reason. CREDIT and WANT: u32 bytes.
const (
	Reason     = 16 // u32: BODYEND and CANCEL: why, ReasonX
	Bytes      = 16 // u32: CREDIT and WANT: how many more
	SignalSize = 24

	ReasonComplete = 0 // BODYEND only: the whole body has been sent
	ReasonGone     = 1 // the client left
	ReasonTimeout  = 2 // a deadline passed
	ReasonTooLarge = 3 // the body is over the limit
	ReasonInvalid  = 4 // the body's framing is broken
	ReasonShutdown = 5 // the engine or the worker is stopping
)

// BODYEND with ReasonComplete may carry the request's trailer section behind its reason: FieldCount is 0 in one that
// does not, and in every other signal. The fields are laid out as those of a RESPONSE.
const (
	BodyEndFieldCount = 20 // u16
	BodyEndFields     = 24 // span
	BodyEndSize       = 32
)

// RESPONSE and START.
const (
	ResponseStatus     = 16 // u16
	ResponseType       = 18 // u8: message.ContentType
	ResponseFieldCount = 20 // u16
	ResponseFields     = 24 // span: FieldCount times: u32 length of the name, u32 length of the value, name, value; unaligned
	ResponseBody       = 32 // span; RESPONSE only
	ResponseLength     = 40 // i64: START, and RESPONSE to HEAD: declared length of the body, -1 unknown
	ResponseSize       = 48

	FlagClose = 1 // close the connection after this response
)

// END.
const (
	// FlagAborted: the handler failed in the middle; the client must see that the body is incomplete.
	FlagAborted = 1

	// An END that is EndSize long or longer has trailer fields, laid out as those of a RESPONSE.
	EndFieldCount = 16 // u16
	EndFields     = 24 // span
	EndSize       = 32
)

// ERROR: a structured error. Code is a name of the fault registry, or empty to derive it from the status. Details is
// a JSON text or empty. Fields as in RESPONSE.
const (
	ErrorStatus     = 16 // u16
	ErrorFieldCount = 18 // u16
	ErrorCode       = 20 // span
	ErrorMessage    = 28 // span
	ErrorDetails    = 36 // span
	ErrorFields     = 44 // span
	ErrorSize       = 56
)
