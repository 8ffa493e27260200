package message

import "testing"

func TestAddField(t *testing.T) {
	for _, c := range []struct {
		name, value string
		ok          bool
		wire        string
	}{
		{"X-Request-ID", "abc", true, "x-request-id: abc\r\n"},
		{"empty", "", true, "empty: \r\n"},
		{"latin", "caf\xe9", true, "latin: caf\xe9\r\n"},
		{"split", "a\r\nset-cookie: b", false, ""},
		{"split", "a\nb", false, ""},
		{"nul", "a\x00b", false, ""},
		{"bad name", "a", false, ""},
		{"bad\r\nname", "a", false, ""},
		{"", "a", false, ""},
		// The codec owns framing: accepted and dropped, so that a handler that sets them does no harm.
		{"Content-Length", "3", true, ""},
		{"Transfer-Encoding", "chunked", true, ""},
		{"Connection", "close", true, ""},
	} {
		var r Response
		r.Reset()
		if ok := r.AddField(c.name, c.value); ok != c.ok || string(r.Fields()) != c.wire {
			t.Errorf("AddField(%q, %q): %v, %q", c.name, c.value, ok, r.Fields())
		}
		var b Response
		if ok := b.AddFieldBytes([]byte(c.name), []byte(c.value)); ok != c.ok || string(b.Fields()) != c.wire {
			t.Errorf("AddFieldBytes(%q, %q): %v, %q", c.name, c.value, ok, b.Fields())
		}
	}
}

func TestFieldSetRemove(t *testing.T) {
	var r Response
	r.AddField("A", "1")
	r.AddField("Vary", "x: y")
	r.AddField("a", "2")
	if got := r.Field("a"); string(got) != "1" {
		t.Errorf("Field(a) is %q", got)
	}
	if got := r.Field("vary"); string(got) != "x: y" {
		t.Errorf("Field(vary) is %q", got)
	}
	if r.Field("var") != nil || r.Field("b") != nil {
		t.Error("found a field that is not there")
	}
	r.SetField("A", "3")
	if got := string(r.Fields()); got != "vary: x: y\r\na: 3\r\n" {
		t.Errorf("after SetField: %q", got)
	}
	if r.SetField("A", "x\r\n") || string(r.Field("a")) != "3" {
		t.Error("a refused SetField changed something")
	}
	r.RemoveField("VARY")
	if got := string(r.Fields()); got != "a: 3\r\n" {
		t.Errorf("after RemoveField: %q", got)
	}
}
