package compress

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/covetpy/covet/internal/message"
)

// BenchmarkWhole is the table of docs/guide/compression.md: time and ratio of JSON bodies.
func BenchmarkWhole(b *testing.B) {
	for _, n := range []int{1 << 10, 10 << 10, 100 << 10} {
		body := sample(n)
		for l := Fast; l < levels; l++ {
			m := newCompressor(Config{Level: l})
			for k := gzipped; k < codings; k++ {
				b.Run(fmt.Sprintf("%dK/%d/%s", n>>10, l, k.name()), func(b *testing.B) {
					var out sink
					b.SetBytes(int64(n))
					b.ReportAllocs()
					for b.Loop() {
						out.b = out.b[:0]
						if err := m.encoders[k].encode(&out, body); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(n)/float64(len(out.b)), "ratio")
				})
			}
		}
	}
}

// BenchmarkLive is one event of 200 bytes of a long stream, flushed; with the memory that an open stream takes.
func BenchmarkLive(b *testing.B) {
	event := sample(200)
	for l := Fast; l < levels; l++ {
		for k := gzipped; k < codings; k++ {
			b.Run(fmt.Sprintf("%d/%s", l, k.name()), func(b *testing.B) {
				const streams = 64
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				var all [streams]liveEncoder
				for i := range all {
					all[i] = newLive(k, l)
					all[i].Reset(io.Discard)
					for range 50 {
						if _, err := all[i].Write(event); err != nil {
							b.Fatal(err)
						}
						if err := all[i].Flush(); err != nil {
							b.Fatal(err)
						}
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				var out sink
				all[0].Reset(&out)
				wire := 0
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					out.b = out.b[:0]
					_, _ = all[0].Write(event)
					_ = all[0].Flush()
					wire += len(out.b)
					n++
				}
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/streams/1024, "KiB/stream")
				b.ReportMetric(float64(wire)/float64(n), "wire-B/op")
				runtime.KeepAlive(&all)
			})
		}
	}
}

// BenchmarkDecline is what the middleware costs a response that it leaves as it is.
func BenchmarkDecline(b *testing.B) {
	m := newCompressor(Config{})
	q := request("gzip, deflate, br, zstd")
	x := &message.Exchange{}
	x.Reset()
	below := &silent{}
	body := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		x.Response.Reset()
		x.Stream = below
		x.Response.Type, x.Response.Body = message.ContentJSON, body
		var w weights
		w.reset()
		w.read(q)
		m.decide(x, w.choose(m.prefer))
		x.Stream.Respond(x)
	}
}
