package covet

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
)

type order struct {
	ID    int        `path:"id"`
	Limit uint8      `query:"limit" default:"10"`
	Tags  []string   `query:"tag"`
	Ratio *float64   `query:"ratio"`
	From  netip.Addr `header:"X-From" default:"::1"`
	Sid   string     `cookie:"sid" default:"none"`
	Flag  bool       `query:"flag" default:"no"`
}

type note struct {
	ID   int    `path:"id"`
	Text string `json:"text"`
	N    int    `json:"n"`
	skip int
}

func TestTyped(t *testing.T) {
	a, _ := newTest(t)
	get := Typed(func(c *Ctx, in order) (map[string]string, error) {
		ratio := "nil"
		if in.Ratio != nil {
			ratio = fmt.Sprint(*in.Ratio)
		}
		return map[string]string{"got": fmt.Sprint(in.ID, in.Limit, in.Tags, ratio, in.From, in.Sid, in.Flag)}, nil
	})
	post := Typed(func(c *Ctx, in note) (struct{}, error) {
		c.SetHeader("x-got", fmt.Sprint(in.ID, in.Text, in.N, in.skip))
		return struct{}{}, nil
	})
	a.Get("/o/{id}", get)
	a.Get("/inline/o/{id}", get, Inline())
	a.Post("/n/{id}", post)
	a.Get("/own", Typed(func(c *Ctx, _ struct{}) (int, error) { return 0, c.Text(202, "own") }))
	a.Get("/err", Typed(func(*Ctx, struct{}) (int, error) { return 0, fault.New(fault.Conflict, "") }))
	a.Get("/status", Typed(func(c *Ctx, _ struct{}) (int, error) { c.Status(201); return 5, nil }))
	s := start(t, a)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
		fields             []string
	}{
		{"GET", "/o/7", "", 200, `{"got":"7 10 []nil::1nonefalse"}`, nil},
		{"GET", "/inline/o/7?limit=3&tag=a&tag=b&ratio=0.5&flag=ON", "", 200, `{"got":"7 3 [a b]0.510.0.0.1strue"}`,
			[]string{"x-from", "10.0.0.1", "cookie", "sid=s"}},
		{"GET", "/o/x?limit=300&ratio=nan&flag=maybe", "", 422,
			`[{"field":"path.id","reason":"must be an integer","type":"int"},` +
				`{"field":"query.limit","reason":"is out of range","type":"int"},` +
				`{"field":"query.ratio","reason":"must be a number","type":"float"},` +
				`{"field":"query.flag","reason":"must be a boolean","type":"bool"}]`, nil},
		{"POST", "/n/7", `{"text":"hi","n":2,"ID":99}`, 204, "7hi2 0", nil},
		{"POST", "/n/7", `{"text":"hi","n":2,"id":98}`, 204, "7hi2 0", nil},
		{"POST", "/n/7", `{"text":"hi","n":"x"}`, 422, `"reason":"must be an integer","type":"int"`, nil},
		{"POST", "/n/7", `{"text":`, 400, "not valid JSON", nil},
		{"POST", "/n/7", ``, 422, `{"field":"body","reason":"is required","type":"object"}`, nil},
		{"POST", "/n/7", `{}`, 415, "unsupported_media_type", []string{"content-type", "text/plain"}},
		{"POST", "/n/7", `{}`, 204, "", []string{"content-type", "application/x+json; charset=utf-8"}},
		{"POST", "/n/7", strings.Repeat("[", 60_000), 400, "nested too deeply", nil},
		{"GET", "/own", "", 202, "own", nil},
		{"GET", "/err", "", 409, "conflict", nil},
		{"GET", "/status", "", 201, "5", nil},
	} {
		got := ask(t, s, c.method, c.path, c.body, c.fields...)
		if got.status != c.status || !strings.Contains(got.body+got.header.Get("X-Got"), c.want) {
			t.Errorf("%s %s %.40s: %d %s %s", c.method, c.path, c.body, got.status, got.body, got.header.Get("X-Got"))
		}
	}
}

func TestTypedRefuses(t *testing.T) {
	for name, f := range map[string]func(){
		"not a struct": func() { Typed(func(*Ctx, int) (int, error) { return 0, nil }) },
		"two sources": func() {
			Typed(func(*Ctx, struct {
				A int `path:"a" query:"a"`
			}) (int, error) {
				return 0, nil
			})
		},
		"cannot come": func() {
			Typed(func(*Ctx, struct {
				A map[int]int `query:"a"`
			}) (int, error) {
				return 0, nil
			})
		},
		"only query": func() {
			Typed(func(*Ctx, struct {
				A []int `path:"a"`
			}) (int, error) {
				return 0, nil
			})
		},
		"be exported": func() {
			Typed(func(*Ctx, struct {
				a int `path:"a"`
			}) (int, error) {
				return 0, nil
			})
		},
		`default "x"`: func() {
			Typed(func(*Ctx, struct {
				A int `path:"a" default:"x"`
			}) (int, error) {
				return 0, nil
			})
		},
		"name a value": func() {
			Typed(func(*Ctx, struct {
				A int `path:""`
			}) (int, error) {
				return 0, nil
			})
		},
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, name) {
					t.Errorf("%s: %s", name, p)
				}
			}()
			f()
		}()
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`{"text":"a","n":1}`, `[[[`, `"`, `{"a":{"b":[1,2,{"c":null}]}}`, "\\", `{"x":"\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var n note
		if err := decodeJSON(b, &n); err != nil && fault.From(err).HTTPStatus() >= 500 {
			t.Fatalf("%q: %v", b, err)
		}
	})
}
