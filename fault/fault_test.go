package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestRegistry(t *testing.T) {
	for _, e := range entries {
		if e.code.Status() != e.status || e.code.Message() != e.message {
			t.Errorf("%s: %d %q", e.code, e.code.Status(), e.code.Message())
		}
		if got := ForStatus(e.status).Status(); got != e.status {
			t.Errorf("ForStatus(%d) has status %d", e.status, got)
		}
	}
	for status, want := range map[int]Code{404: NotFound, 503: ServiceUnavailable, 418: BadRequest, 599: InternalError} {
		if got := ForStatus(status); got != want {
			t.Errorf("ForStatus(%d) = %s, want %s", status, got, want)
		}
	}
	if c := Code("made_up"); c.Status() != 500 || c.Message() != InternalError.Message() {
		t.Errorf("an unknown code: %d %q", c.Status(), c.Message())
	}
}

func TestError(t *testing.T) {
	e := &Error{Code: Conflict, Message: "taken", Cause: context.Canceled}
	if !errors.Is(e, context.Canceled) || e.Error() != "conflict: taken: context canceled" {
		t.Errorf("%v", e)
	}
	if got := New(Conflict, "").Text(); got != Conflict.Message() {
		t.Errorf("default text %q", got)
	}
	if got := (&Error{Code: Conflict, Status: 418}).HTTPStatus(); got != 418 {
		t.Errorf("status %d", got)
	}
}

func TestFrom(t *testing.T) {
	if From(nil) != nil {
		t.Error("From(nil) is not nil")
	}
	e := New(Gone, "")
	if From(fmt.Errorf("outer: %w", e)) != e {
		t.Error("a wrapped Error is not found")
	}
	secret := errors.New("secret")
	f := From(secret)
	if f.Code != InternalError || f.Cause != secret {
		t.Errorf("%+v", f)
	}
	if body := string(AppendBody(nil, f, [16]byte{}, time.Time{})); strings.Contains(body, "secret") {
		t.Errorf("the cause is shown: %s", body)
	}
}

func TestAppendBody(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("", 3600))
	e := &Error{Code: ValidationFailed, Message: "a \"b\"\n\\\x01", Details: []byte(`[{"field":"x"}]`)}
	got := string(AppendBody([]byte(">"), e, [16]byte{0xab, 15: 1}, at))
	want := `>{"error":{"code":"validation_failed","message":"a \"b\"\u000a\\\u0001","details":[{"field":"x"}],` +
		`"request_id":"ab000000000000000000000000000001","timestamp":"2026-01-02T02:04:05.678Z"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAppendBodyAllocatesNothing(t *testing.T) {
	buf, e, at := make([]byte, 0, 512), New(NotFound, ""), time.Unix(0, 0)
	if n := testing.AllocsPerRun(100, func() { AppendBody(buf, e, [16]byte{}, at) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAppendBody(f *testing.F) {
	f.Add("not_found", "hello", []byte(nil))
	f.Add("x\"y", "\xff\u2028\x00\x7f", []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, code, message string, details []byte) {
		if len(details) > 0 && !json.Valid(details) {
			details = nil // the contract: a JSON text or nothing
		}
		e := &Error{Code: Code(code), Message: message, Details: details}
		b := AppendBody(nil, e, [16]byte{1}, time.Unix(1, 0))
		if !json.Valid(b) || !utf8.Valid(b) && utf8.Valid(details) {
			t.Fatalf("%q", b)
		}
		var back struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(e.Text(), "\ufffd"); utf8.ValidString(message) && back.Error.Message != want {
			t.Fatalf("%q came back as %q", want, back.Error.Message)
		}
	})
}
