package json_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSafety prints what each library says to input that an attacker would send: nothing fails here, the table is for
// docs/internals/json.md. A stack overflow cannot be recovered, so nesting stays below what kills the process.
func TestSafety(t *testing.T) {
	cases := []struct {
		name string
		text string
		make func() any
	}{
		{"duplicate key", `{"id":1,"id":2}`, func() any { return new(small) }},
		{"key in other case", `{"ID":3}`, func() any { return new(small) }},
		{"bytes behind", `{"id":1}x`, func() any { return new(small) }},
		{"invalid UTF-8", "\"\xff\"", func() any { return new(string) }},
		{"lone surrogate", `"\ud800"`, func() any { return new(string) }},
		{"control character", "\"a\x01b\"", func() any { return new(string) }},
		{"leading zero", `01`, func() any { return new(float64) }},
		{"number of 1 MB", strings.Repeat("1", 1<<20), func() any { return new(float64) }},
		{"1 MB integer as any", strings.Repeat("1", 1<<20), func() any { return new(any) }},
		{"int64 + 1", `9223372036854775808`, func() any { return new(int) }},
		{"nested 9,000", strings.Repeat("[", 9000) + strings.Repeat("]", 9000), func() any { return new(any) }},
		{"open 100,000", strings.Repeat("[", 100000), func() any { return new(any) }},
	}
	for _, c := range cases {
		for _, lib := range codecs() {
			v := c.make()
			err := guard(func() error { return lib.decode([]byte(c.text), v) })
			said := "accepted"
			if err != nil {
				said = "refused: " + cut(err.Error())
			} else if text := fmt.Sprintf("%v", deref(v)); len(text) < 60 {
				said += fmt.Sprintf(" as %q", text)
			}
			t.Logf("| %s | %s | %s |", c.name, lib.name, said)
		}
	}
	// What is linear takes as long for 300 levels as for one.
	for _, depth := range []int{1, 30, 300} {
		text := strings.Repeat("[", depth) + strings.Repeat("1,", 50_000) + "1" + strings.Repeat("]", depth)
		for _, lib := range codecs() {
			begin := time.Now()
			err := guard(func() error { return lib.decode([]byte(text), new(any)) })
			t.Logf("| 100 KB, %d levels deep | %s | %d ms %v |", depth, lib.name, time.Since(begin).Milliseconds(), err)
		}
	}
	for _, lib := range codecs() {
		b, err := lib.append(nil, []string{"a\xffb", "<&>", "\u2028"})
		t.Logf("| written | %s | %s %v |", lib.name, cut(string(b)), err)
	}
}

func deref(v any) any {
	switch p := v.(type) {
	case *string:
		return *p
	case *float64:
		return *p
	case *int:
		return *p
	case *small:
		return *p
	case *any:
		return *p
	}
	return v
}

func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

func cut(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if len(s) > 70 {
		s = s[:70] + "…"
	}
	return s
}
