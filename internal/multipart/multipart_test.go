package multipart

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestHeldBytes counts the work on hostile bodies in the only way that does not depend on time: bytes that Next leaves
// unconsumed and would look at again.
func TestHeldBytes(t *testing.T) {
	head := "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\n"
	for _, unit := range []string{"\r", "\n", "\r\n", "\r\n-", "\r\n--", "-", "\r\r\n--\r"} {
		p := New("b", Limits{})
		if _, n, err := p.Next([]byte(head), false); err != nil || n != len(head) {
			t.Fatal(n, err)
		}
		body := []byte(strings.Repeat(unit, 100000))
		left := 0
		for len(body) > 0 {
			in := body[:min(left+4096, len(body))]
			total := 0
			for {
				ev, n, err := p.Next(in[total:], false)
				if err != nil {
					t.Fatalf("%q: %v", unit, err)
				}
				total += n
				if ev == More {
					break
				}
			}
			if left = len(in) - total; left > Slack {
				t.Fatalf("%q: %d bytes stay", unit, left)
			}
			if len(in) == len(body) {
				break
			}
			body = body[total:]
		}
	}
}

func TestErrorStays(t *testing.T) {
	p := New("b", Limits{})
	_, _, err := p.Next([]byte("--bx"), false)
	var e *Error
	if !errors.As(err, &e) || e.Limit || e.Reason != ErrDelimiter {
		t.Fatal(err)
	}
	if _, n, again := p.Next([]byte("--b--"), true); n != 0 || !errors.Is(again, err) {
		t.Fatal(n, again)
	}
}

func TestEventsAfterEnd(t *testing.T) {
	p := New("b", Limits{})
	for range 3 {
		if ev, _, err := p.Next([]byte("--b--"), true); ev != End || err != nil {
			t.Fatal(ev, err)
		}
	}
}

func TestPairsLimit(t *testing.T) {
	seen := 0
	count := func(string, string) { seen++ }
	if err := Pairs([]byte("a&b&&&&&&&&"), 2, count); err != nil || seen != 2 {
		t.Errorf("empty pieces count: %d %v", seen, err)
	}
	seen = 0
	err := Pairs([]byte(strings.Repeat("a=1&", 1_000_000)), 1000, count)
	var e *Error
	if !errors.As(err, &e) || !e.Limit || seen != 0 {
		t.Errorf("%v after %d pairs", err, seen)
	}
}

func TestDataAllocates(t *testing.T) {
	head := "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\n"
	p := New("b", Limits{})
	if _, _, err := p.Next([]byte(head), false); err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("0123456789\r\n--"), 1000)
	if n := testing.AllocsPerRun(100, func() {
		if ev, _, err := p.Next(piece, false); ev != Data || err != nil {
			t.Fatal(ev, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a piece of data", n)
	}
}

func FuzzParser(f *testing.F) {
	for _, c := range corpus(f) {
		if len(c.body) < 4096 {
			f.Add(c.boundary, c.body, uint16(7))
		}
	}
	f.Fuzz(func(t *testing.T, boundary string, body []byte, split uint16) {
		if !validBoundary(boundary) || len(body) > 1<<16 {
			return
		}
		limits := Limits{Parts: 8, FieldBytes: 100, FileBytes: 200, HeadBytes: 200, Preamble: 50, Epilogue: 50}
		whole := drive(New(boundary, limits), body, max(len(body), 1))
		parted := drive(New(boundary, limits), body, int(split%97)+1)
		a, b := whole[len(whole)-1], parted[len(parted)-1]
		if (a == "end") != (b == "end") || a == "end" && fmt.Sprint(whole) != fmt.Sprint(parted) {
			t.Fatalf("split changes the result:\n%q\n%q", whole, parted)
		}
		for _, s := range whole {
			if s == "empty data" || s == "more after the end" {
				t.Fatal(s)
			}
		}
	})
}

func FuzzBoundary(f *testing.F) {
	for _, s := range []string{"boundary=abc", `boundary="a b"; x=y`, `a="\"";boundary=x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := Boundary(s); err == nil && !validBoundary(b) {
			t.Fatalf("%q", b)
		}
	})
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"../../etc/passwd", `C:\x`, "..", "a\x00b", ". .", "x/.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := (&Part{RawFileName: s}).FileName()
		if strings.ContainsAny(name, "/\\\x00\r\n") || name == "." || name == ".." {
			t.Fatalf("%q from %q", name, s)
		}
	})
}

func BenchmarkData(b *testing.B) {
	head := "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\n"
	p := New("b", Limits{})
	if _, _, err := p.Next([]byte(head), false); err != nil {
		b.Fatal(err)
	}
	piece := bytes.Repeat([]byte("0123456789abcde\n"), 4096)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Next(piece, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParts(b *testing.B) {
	one := "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n"
	body := []byte(strings.Repeat(one, 100) + "--b--\r\n")
	b.ReportAllocs()
	for b.Loop() {
		p := New("b", Limits{})
		for at := 0; ; {
			ev, n, err := p.Next(body[at:], true)
			if err != nil {
				b.Fatal(err)
			}
			if at += n; ev == End {
				break
			}
		}
	}
}

// FuzzPairs compares with net/url where both have an opinion: it refuses ";" and bad escapes, Pairs refuses what is not
// UTF-8.
func FuzzPairs(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=%41+&&=", "%zz", "a=%ff", "a=b=c&a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := url.Values{}
		n := 0
		err := Pairs(text, 100, func(name, value string) { got.Add(name, value); n++ })
		if n > 100 {
			t.Fatalf("%d pairs", n)
		}
		want, other := url.ParseQuery(string(text))
		if err == nil && other == nil && got.Encode() != want.Encode() {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	})
}
