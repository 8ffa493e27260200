package covet

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/message"
)

// asked is a request with the given fields, "name: value" each.
func asked(fields ...string) *message.Request {
	var r message.Request
	r.Reset()
	for _, f := range fields {
		name, v, _ := strings.Cut(f, ": ")
		at := uint32(len(r.Head))
		r.Head = append(append(r.Head, name...), v...)
		r.Fields = append(r.Fields, message.Field{
			Name:  message.Span{Off: at, Len: uint32(len(name))},
			Value: message.Span{Off: at + uint32(len(name)), Len: uint32(len(v))},
		})
	}
	return &r
}

func TestPreconditions(t *testing.T) {
	const get, put = message.MethodGet, message.MethodPut
	const date, later, before = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT", "Sunday, 06-Nov-94 08:49:36 GMT"
	for _, c := range []struct {
		name   string
		method message.Method
		etag   string
		dated  bool
		fields []string
		want   outcome
	}{
		{"nothing asked", get, `"a"`, true, nil, proceed},
		{"none match", get, `"a"`, true, []string{`If-None-Match: "a"`}, notModified},
		{"none match, head", message.MethodHead, `"a"`, true, []string{`If-None-Match: "a"`}, notModified},
		{"none match, put", put, `"a"`, true, []string{`If-None-Match: "a"`}, preconditionFailed},
		{"none match, another", get, `"a"`, true, []string{`If-None-Match: "b"`}, proceed},
		{"none match compares weakly", get, `"a"`, true, []string{`If-None-Match: W/"a"`}, notModified},
		{"none match compares weakly too", get, `W/"a"`, true, []string{`If-None-Match: "a"`}, notModified},
		{"none match in a list", get, `"a"`, true, []string{`If-None-Match: "x", W/"y" ,, "a"`}, notModified},
		{"none match on two lines", get, `"a"`, true, []string{`If-None-Match: "x"`, `if-none-match: "a"`}, notModified},
		{"none match any", get, `"a"`, true, []string{`If-None-Match: *`}, notModified},
		{"none match any of a dated one", get, "", true, []string{`If-None-Match: *`}, notModified},
		{"create", put, "", false, []string{`If-None-Match: *`}, proceed},
		{"create what is there", put, `"a"`, false, []string{`If-None-Match: *`}, preconditionFailed},
		{"a comma in a tag", get, `"a,b"`, true, []string{`If-None-Match: "a,b"`}, notModified},
		{"half a tag", get, `"a"`, true, []string{`If-None-Match: "a`}, proceed},
		{"no quotes", get, `"a"`, true, []string{`If-None-Match: a`}, proceed},
		{"w in lower case", get, `"a"`, true, []string{`If-None-Match: w/"a"`}, proceed},
		{"a tag after a mistake", get, `"a"`, true, []string{`If-None-Match: x "a"`}, proceed},
		{"two tags without a comma", get, `"a"`, true, []string{`If-None-Match: "x""a"`}, proceed},
		{"any in a list", get, `"a"`, true, []string{`If-None-Match: "x", *`}, proceed},
		{"none match beats modified since", get, `"a"`, true, []string{`If-None-Match: "b"`, "If-Modified-Since: " + later}, proceed},
		{"modified since", get, "", true, []string{"If-Modified-Since: " + date}, notModified},
		{"modified since, later", get, "", true, []string{"If-Modified-Since: " + later}, notModified},
		{"modified since, before", get, "", true, []string{"If-Modified-Since: " + before}, proceed},
		{"modified since, put", put, "", true, []string{"If-Modified-Since: " + date}, proceed},
		{"modified since, no date", get, `"a"`, false, []string{"If-Modified-Since: " + date}, proceed},
		{"modified since, broken", get, "", true, []string{"If-Modified-Since: yesterday"}, proceed},
		{"modified since, twice", get, "", true, []string{"If-Modified-Since: " + date, "If-Modified-Since: " + date}, proceed},
		{"match", put, `"a"`, true, []string{`If-Match: "b", "a"`}, proceed},
		{"match, another", put, `"a"`, true, []string{`If-Match: "b"`}, preconditionFailed},
		{"match compares strongly", put, `"a"`, true, []string{`If-Match: W/"a"`}, preconditionFailed},
		{"match compares strongly too", put, `W/"a"`, true, []string{`If-Match: W/"a"`}, preconditionFailed},
		{"match any", put, `"a"`, true, []string{`If-Match: *`}, proceed},
		{"match any of nothing", put, "", false, []string{`If-Match: *`}, preconditionFailed},
		{"match nothing", put, `"a"`, true, []string{"If-Match: "}, preconditionFailed},
		{"match, get", get, `"a"`, true, []string{`If-Match: "b"`}, preconditionFailed},
		{"match beats unmodified since", put, `"a"`, true, []string{`If-Match: "a"`, "If-Unmodified-Since: " + before}, proceed},
		{"match, then none match", get, `"a"`, true, []string{`If-Match: "a"`, `If-None-Match: "a"`}, notModified},
		{"unmodified since", put, "", true, []string{"If-Unmodified-Since: " + date}, proceed},
		{"unmodified since, before", put, "", true, []string{"If-Unmodified-Since: " + before}, preconditionFailed},
		{"unmodified since, broken", put, "", true, []string{"If-Unmodified-Since: x"}, proceed},
		{"unmodified since, no date", put, `"a"`, false, []string{"If-Unmodified-Since: " + before}, proceed},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := conditions{etag: c.etag, exists: c.etag != "" || c.dated, hasDate: c.dated, modified: 784111777, now: time.Unix(1e9, 0)}
			k.read(asked(c.fields...))
			if got := k.decide(c.method); got != c.want {
				t.Errorf("outcome %d, want %d", got, c.want)
			}
		})
	}
}

func TestIfRange(t *testing.T) {
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	for _, c := range []struct {
		etag, field string
		age         int64
		want        bool
	}{
		{`"a"`, `"a"`, 100, true},
		{`"a"`, `"b"`, 100, false},
		{`"a"`, `W/"a"`, 100, false},
		{`W/"a"`, `W/"a"`, 100, false},
		{`"a"`, date, 100, true},
		{`"a"`, date, 1, false}, // it may change again within its second
		{`"a"`, "Sun, 06 Nov 1994 08:49:38 GMT", 100, false},
		{`"a"`, "Wednesday, 09-Nov-94 08:49:37 GMT", 100, false},
		{`"a"`, "", 100, false},
		{`"a"`, "x", 100, false},
		{"", `""`, 100, false},
	} {
		k := conditions{etag: c.etag, hasDate: true, modified: 784111777, now: time.Unix(784111777+c.age, 0)}
		k.read(asked("If-Range: " + c.field))
		if got := k.rangeHolds(); got != c.want {
			t.Errorf("%s and %q at %d: %v", c.etag, c.field, c.age, got)
		}
	}
	k := conditions{etag: `"a"`, now: time.Now()}
	k.read(asked(`If-Range: "a"`, `If-Range: "a"`))
	if k.rangeHolds() {
		t.Error("two If-Range are taken")
	}
}

func TestHTTPDate(t *testing.T) {
	for text, want := range map[string]int64{
		"Sun, 06 Nov 1994 08:49:37 GMT":     784111777,
		"Sunday, 06-Nov-94 08:49:37 GMT":    784111777,
		"Sun Nov  6 08:49:37 1994":          784111777,
		"Wed, 31 Dec 1997 23:59:60 GMT":     883612800,  // a leap second
		"Thursday, 01-Jan-70 00:00:00 GMT":  3155760000, // in 2026, 44 years ahead are the future
		"Saturday, 01-Jan-76 00:00:00 GMT":  3345062400, // in 2026: 50 years ahead are not more than 50
		"Saturday, 01-Jan-77 00:00:00 GMT":  220924800,
		"Thu, 29 Feb 2024 00:00:00 GMT":     1709164800,
		"Sun Nov 16 08:49:37 1994":          784975777,
		"Thu Jan  1 00:00:00 1970":          0,
		"":                                  -1,
		"Sun, 06 Nov 1994 08:49:37":         -1,
		"Sun, 06 Nov 1994 08:49:37 UTC":     -1,
		"Sun, 06 Nov 1994 08:49:37 GMT ":    -1,
		"Sun, 6 Nov 1994 08:49:37 GMT":      -1,
		"Sun, 31 Nov 1994 08:49:37 GMT":     -1,
		"Sun, 29 Feb 1994 08:49:37 GMT":     -1,
		"Sun, 06 Nov 1994 24:00:00 GMT":     -1,
		"Sun, 06 Nov 1994 00:60:00 GMT":     -1,
		"Sun, 00 Nov 1994 00:00:00 GMT":     -1,
		"Sun, 06 nov 1994 00:00:00 GMT":     -1,
		"Sol, 06 Nov 1994 00:00:00 GMT":     -1,
		"Sun, 06 Nov +994 00:00:00 GMT":     -1,
		"Son-day, 06-Nov-94 00:00:00 GMT":   -1,
		"Moonday, 06-Nov-94 00:00:00 GMT":   -1,
		"Wednesdayday, 06-Nov-94 00:00 GMT": -1,
		"784111777":                         -1,
	} {
		got, ok := parseHTTPDate([]byte(text), 2026)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
}

// FuzzHTTPDate holds the parser against the one of net/http, which takes more.
func FuzzHTTPDate(f *testing.F) {
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun Nov 16 08:49:37 1994"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const year = 2018 // where the rule for two digits agrees with that of package time: 69 to 68
		got, ok := parseHTTPDate([]byte(s), year)
		if !ok || strings.Contains(s, ":60") {
			return
		}
		want, err := http.ParseTime(s)
		if err != nil || want.Unix() != got {
			t.Fatalf("%q: %d, by net/http %v, %v", s, got, want, err)
		}
	})
}

func FuzzETags(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a", "b"`, `*`, `"a`, `,,"a"`, `"a" "b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k := conditions{etag: `"a"`, exists: true}
		strong, weak := k.matchETags(absent, []byte(s), true), k.matchETags(absent, []byte(s), false)
		if strong == absent || weak == absent {
			t.Fatal("a list that is there is absent")
		}
		if strong == matched && weak != matched {
			t.Fatalf("%q matches strongly but not weakly", s)
		}
		if weak == matched && s != "*" && !strings.Contains(s, `"a"`) {
			t.Fatalf("%q matches", s)
		}
	})
}
