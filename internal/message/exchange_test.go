package message

import (
	"bytes"
	"testing"
)

func filled(head, body string) *Exchange {
	x := &Exchange{}
	x.Reset()
	x.Request.Head = []byte(head)
	x.Request.Path = Span{4, 2}
	x.Request.Body = []byte(body)
	return x
}

func TestDetachKeepsViews(t *testing.T) {
	x := filled("GET /a HTTP/1.1\r\n\r\n", "body")
	head, body := x.Request.Head, x.Request.Body
	x.Detach()
	x.Detach()
	for _, b := range [][]byte{head, body} {
		for i := range b {
			b[i] = '!' // the connection's buffer is used for something else
		}
	}
	if got := x.Request.Bytes(x.Request.Path); string(got) != "/a" {
		t.Errorf("path is %q", got)
	}
	if !bytes.Equal(x.Request.Body, []byte("body")) {
		t.Errorf("body is %q", x.Request.Body)
	}
}

func TestResetForgetsAndCounts(t *testing.T) {
	x := filled("GET /a HTTP/1.1\r\n\r\n", "body")
	x.Detach()
	x.Response.AddField("a", "1")
	x.Request.Fields = append(x.Request.Fields, Field{})
	g := x.Generation
	x.Reset()
	if x.Generation == g {
		t.Error("the generation did not change")
	}
	if x.Request.Head != nil || len(x.Request.Fields) != 0 || len(x.Response.Fields()) != 0 || x.Request.Hot(HotHost) != nil {
		t.Error("something of the last request is left")
	}
	if x.Response.Status != 200 || x.Response.Length != -1 {
		t.Errorf("response starts as %+v", x.Response)
	}
	x.Request.Head = []byte("GET /b HTTP/1.1\r\n\r\n")
	x.Detach()
	if string(x.Request.Bytes(Span{4, 2})) != "/b" {
		t.Error("detached views show an older request")
	}
}

func TestResetDropsLargeMemory(t *testing.T) {
	x := filled(string(make([]byte, 2*maxKeptHead)), "")
	x.Detach()
	x.Reset()
	if cap(x.detached) > maxKeptHead {
		t.Errorf("an idle exchange keeps %d bytes", cap(x.detached))
	}
}

func TestMethods(t *testing.T) {
	for m := MethodGet; m < MethodCount; m++ {
		if m.String() == "" || ParseMethod([]byte(m.String())) != m {
			t.Errorf("method %d: %q", m, m)
		}
	}
	for _, other := range []string{"", "get", "GETS", "PROPFIND"} {
		if ParseMethod([]byte(other)) != MethodOther {
			t.Errorf("%q is a known method", other)
		}
	}
}
