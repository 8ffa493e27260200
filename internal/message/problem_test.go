package message

import "testing"

func TestWantsProblem(t *testing.T) {
	for _, c := range []struct {
		accept string
		want   bool
	}{
		{"application/problem+json", true},
		{"text/html, Application/Problem+JSON ; q=0.5", true},
		{"application/problem+json;q=0", false},
		{"application/problem+json; charset=utf-8; Q=0.000", false},
		{"application/problem+json;q=0.001", true},
		{"application/problem+json;q=", true},
		{"application/json", false},
		{"*/*", false},
		{"application/problem+jsonp", false},
		{"", false},
	} {
		r := &Request{Head: []byte(c.accept)}
		for h := range r.HotFields {
			r.HotFields[h] = -1
		}
		if c.accept != "" {
			r.Fields = []Field{{Value: Span{0, uint32(len(c.accept))}}}
			r.HotFields[HotAccept] = 0
		}
		if got := r.WantsProblem(); got != c.want {
			t.Errorf("%q: %v", c.accept, got)
		}
	}
}

func TestTrailerFields(t *testing.T) {
	var r Response
	r.Reset()
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"Checksum", "7", true}, {"grpc-status", "0", true}, {"etag", `"1"`, true}, {"X-Empty", "", true},
		{"Content-Length", "1", false}, {"transfer-encoding", "x", false}, {"Host", "a", false}, {"Set-Cookie", "a=b", false},
		{"Authorization", "x", false}, {"content-type", "x", false}, {"If-Match", "x", false}, {"Date", "x", false},
		{"Vary", "x", false}, {"Cache-Control", "x", false}, {"X-Forwarded-For", "x", false}, {"Trailer", "x", false},
		{"a b", "x", false}, {"", "x", false}, {"a", "b\r\nc: d", false}, {"a", "\x00", false},
	} {
		if ok := r.AddTrailer(c.name, c.value); ok != c.ok {
			t.Errorf("%s: %v", c.name, ok)
		}
		var b Response
		if ok := b.AddTrailerBytes([]byte(c.name), []byte(c.value)); ok != c.ok {
			t.Errorf("%s as bytes: %v", c.name, ok)
		}
	}
	const want = "checksum: 7\r\ngrpc-status: 0\r\netag: \"1\"\r\nx-empty: \r\n"
	if got := string(r.Trailers()); got != want {
		t.Errorf("trailers %q", got)
	}
	r.AddField("Trailer", " Later ,checksum,,content-length, bad name, LATER")
	if got := string(r.AppendAnnounced(nil)); got != "later, checksum, grpc-status, etag, x-empty" || len(got) > r.AnnouncedBound() {
		t.Errorf("announced %q", got)
	}
	if len(r.Fields()) != 0 {
		t.Errorf("fields %q", r.Fields())
	}
	var o Response
	o.CopyFrom(&r)
	r.TakeTrailers(&o)
	if got := string(r.Trailers()); got != want+want || len(o.Trailers()) != 0 {
		t.Errorf("taken %q, left %q", got, o.Trailers())
	}
	r.Reset()
	if r.Announced() || r.Offer() != "" {
		t.Error("something of the last response is left")
	}
	r.AddField("Upgrade", "a")
	r.AddField("Upgrade", "b")
	r.RemoveField("upgrade")
	if r.Offer() != "" {
		t.Errorf("offer %q", r.Offer())
	}
	big := make([]byte, maxKeptTrailers+1)
	for i := range big {
		big[i] = 'x'
	}
	r.AddTrailerBytes([]byte("big"), big)
	r.Reset()
	if cap(r.trailers) > maxKeptTrailers {
		t.Errorf("an unused response keeps %d bytes", cap(r.trailers))
	}
}
