package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/ring"
)

func TestRequestRoundTrip(t *testing.T) {
	r, params := sampleRequest()
	for _, inline := range []bool{true, false} {
		f := bytes.Repeat([]byte{0xff}, SizeRequest(r, len(params), inline)) // ring memory is not zeroed
		PutRequest(f, Head{Type: TypeRequest, Route: 3, Slot: 5, Generation: 9}, [16]byte{1}, r, params, inline)
		got, err := ParseRequest(f)
		if err != nil {
			t.Fatal(err)
		}
		want := Head{Type: TypeRequest, Route: 3, Slot: 5, Generation: 9}
		body := `{"a": 1}`
		if !inline {
			want.Flags, body = FlagBodyFollows, ""
		}
		if got.Head != want || string(got.Body) != body || got.ID != [16]byte{1} {
			t.Errorf("head %+v, body %q", got.Head, got.Body)
		}
		if got.Method != message.MethodPost || got.Version != message.HTTP11 || got.ContentLength != 8 || len(got.MethodName) != 0 {
			t.Errorf("%+v", got)
		}
		if string(got.Target) != "/users/42?limit=7" || string(got.Path) != "/users/42" || string(got.Query) != "limit=7" || string(got.Authority) != "shop.example" {
			t.Errorf("%q %q %q %q", got.Target, got.Path, got.Query, got.Authority)
		}
		if got.ParamCount() != 1 || string(got.Param(0)) != "42" || got.FieldCount() != 4 {
			t.Errorf("%d parameters, %d fields", got.ParamCount(), got.FieldCount())
		}
		for i := range r.Fields {
			name, value := got.Field(i)
			if string(name) != string(r.Bytes(r.Fields[i].Name)) || string(value) != string(r.Bytes(r.Fields[i].Value)) {
				t.Errorf("field %d: %q: %q", i, name, value)
			}
		}
		for h := range message.HotCount {
			if int16(got.Hot(h)) != r.HotFields[h] {
				t.Errorf("hot %v is %d", h, got.Hot(h))
			}
		}
		if got.Family != 4 || !bytes.Equal(got.RemoteAddr[:5], []byte{192, 0, 2, 7, 0}) || got.RemotePort != 40000 || got.LocalPort != 8000 {
			t.Errorf("family %d, remote %v:%d", got.Family, got.RemoteAddr, got.RemotePort)
		}
	}
}

func TestInline(t *testing.T) {
	var r message.Request
	r.Reset()
	for _, c := range []struct {
		head, body int
		complete   bool
		want       bool
	}{
		{100, 0, true, true},
		{100, 0, false, false},
		{100, MaxInline, true, true},
		{100, MaxInline + 1, true, false},
		{MaxFrame - MaxInline, MaxInline, true, false},
		{MaxFrame - MaxInline - RequestSize, MaxInline, true, true},
	} {
		r.ContentLength = -1
		r.Head, r.Body, r.BodyComplete = make([]byte, c.head), make([]byte, c.body), c.complete
		if got := Inline(&r, 0); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestResponseRoundTrip(t *testing.T) {
	f := AppendResponse(nil, Head{Type: TypeResponse, Flags: FlagClose, Slot: 1, Generation: 2}, 404, message.ContentHTML, 7, []byte("gone"), "a", "b", "c", "")
	r, err := ParseResponse(f)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 404 || r.Type != message.ContentHTML || r.Length != 7 || !r.Close || string(r.Body) != "gone" || r.Fields.Count != 2 {
		t.Errorf("%+v", r)
	}
	name, value, rest, ok := Next(r.Fields.Block)
	if !ok || string(name) != "a" || string(value) != "b" {
		t.Errorf("%q %q %v", name, value, ok)
	}
	if name, value, rest, ok = Next(rest); !ok || string(name) != "c" || len(value) != 0 || len(rest) != 0 {
		t.Errorf("%q %q %q %v", name, value, rest, ok)
	}
	if _, _, _, ok = Next(rest); ok {
		t.Error("a field out of nothing")
	}
}

func TestMalformedFramesAreRefused(t *testing.T) {
	response := func(change func(f []byte)) []byte {
		f := AppendResponse(nil, Head{Type: TypeResponse}, 200, message.ContentJSON, -1, []byte("body"), "a", "b")
		change(f)
		return f
	}
	problem := func(change func(f []byte)) []byte {
		f := AppendError(nil, Head{Type: TypeError}, 500, "code", "text", "details", "a", "b")
		change(f)
		return f
	}
	p16, p32, p64 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32, binary.LittleEndian.PutUint64
	var fe *Error
	for name, f := range map[string][]byte{
		"short":           response(func([]byte) {})[:ResponseSize-8],
		"content type":    response(func(f []byte) { f[ResponseType] = byte(message.ContentCount) }),
		"body offset":     response(func(f []byte) { p32(f[ResponseBody:], uint32(len(f))-3) }),
		"body length":     response(func(f []byte) { p32(f[ResponseBody+4:], 0xffffffff) }),
		"body wraps":      response(func(f []byte) { p32(f[ResponseBody:], 0xfffffff0); p32(f[ResponseBody+4:], 0x20) }),
		"body is head":    response(func(f []byte) { p32(f[ResponseBody:], 0) }),
		"fields":          response(func(f []byte) { p32(f[ResponseFields+4:], uint32(len(f))) }),
		"too many fields": response(func(f []byte) { p16(f[ResponseFieldCount:], message.MaxFields+1) }),
		"no count":        response(func(f []byte) { p16(f[ResponseFieldCount:], 0) }),
		"length":          response(func(f []byte) { p64(f[ResponseLength:], ^uint64(0)-1) }),
	} {
		if r, err := ParseResponse(f); !errors.As(err, &fe) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for name, f := range map[string][]byte{
		"short":   problem(func([]byte) {})[:ErrorSize-8],
		"code":    problem(func(f []byte) { p32(f[ErrorCode:], 1<<20) }),
		"message": problem(func(f []byte) { p32(f[ErrorMessage+4:], 1<<20) }),
		"details": problem(func(f []byte) { p32(f[ErrorDetails+4:], 1<<20) }),
		"fields":  problem(func(f []byte) { p32(f[ErrorFields:], 1<<20) }),
	} {
		if p, err := ParseError(f); !errors.As(err, &fe) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	piece := make([]byte, SizePiece(8))
	PutPiece(piece, Head{Type: TypeChunk}, []byte("12345678"))
	p32(piece[PieceLength:], 9)
	if d, err := ParsePiece(piece); err == nil {
		t.Errorf("a piece of %d bytes", len(d))
	}
	if _, err := ParsePiece(piece[:HeadSize]); err == nil {
		t.Error("a piece without a length")
	}
	if _, err := ParseSignal(piece[:HeadSize]); err == nil {
		t.Error("a signal without a value")
	}
}

// TestRingAgrees compares the numbers that package ring has to know by itself.
func TestRingAgrees(t *testing.T) {
	region, err := ring.NewRegion(ring.Config{Loops: 1, RequestBytes: 1 << 18, AnswerBytes: 1 << 18, MaxFrame: MaxFrame})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = region.Close() }()
	p, c := region.Requests(0)
	f := p.Reserve(HeadSize) // the shortest frame
	PutEnd(f, Head{Type: TypeEnd})
	p.Commit(len(f))
	f = p.Reserve(SizePiece(1)) // one that needs padding
	PutPiece(f, Head{Type: TypeBody}, []byte("x"))
	p.Commit(len(f))
	p.Publish()
	for _, want := range []int{HeadSize, SizePiece(1)} {
		if f, err := c.Next(); err != nil || len(f) != want {
			t.Errorf("%d bytes, %v", len(f), err)
		}
	}
}

func TestPutRequestDoesNotAllocate(t *testing.T) {
	r, params := sampleRequest()
	f := make([]byte, SizeRequest(r, len(params), true))
	answer := AppendResponse(nil, Head{Type: TypeResponse}, 200, message.ContentJSON, -1, []byte("body"), "a", "b")
	if n := testing.AllocsPerRun(100, func() {
		PutRequest(f, Head{Type: TypeRequest}, [16]byte{}, r, params, true)
		if _, err := ParseResponse(answer); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse gives every parser of worker frames any bytes: what they accept must lie inside of the frame.
func FuzzParse(f *testing.F) {
	for _, g := range goldens() {
		f.Add(g.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeadSize {
			return // the ring hands out no shorter ones
		}
		walk := func(fs Fields) {
			rest, ok := fs.Block, true
			for i := 0; i < fs.Count && ok; i++ {
				_, _, rest, ok = Next(rest)
			}
		}
		ParseHead(b)
		if r, err := ParseResponse(b); err == nil {
			if len(r.Body) > MaxInline || r.Type.String() == "" && r.Type != message.ContentNone {
				t.Fatalf("%+v", r)
			}
			walk(r.Fields)
		}
		if p, err := ParseError(b); err == nil {
			walk(p.Fields)
		}
		if d, err := ParsePiece(b); err == nil && len(d) > MaxChunk {
			t.Fatal(len(d))
		}
		_, _ = ParseSignal(b)
		if fields, err := ParseEnd(b); err == nil {
			walk(fields)
		}
		if _, fields, err := ParseBodyEnd(b); err == nil {
			walk(fields)
		}
		if r, err := ParseRequest(b); err == nil {
			for i := range r.FieldCount() {
				r.Field(i)
			}
			for i := range r.ParamCount() {
				r.Param(i)
			}
		}
	})
}

func BenchmarkPutRequest(b *testing.B) {
	r, params := sampleRequest()
	f := make([]byte, SizeRequest(r, len(params), true))
	b.ReportAllocs()
	for b.Loop() {
		PutRequest(f, Head{Type: TypeRequest}, [16]byte{}, r, params, true)
	}
}
