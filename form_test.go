package covet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
)

// formBody makes a form by the standard library's writer, which is another implementation than the parser's.
func formBody(t testing.TB, fields [][2]string, files map[string]string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		if err := w.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		part, err := w.CreateFormFile("file", name)
		if err == nil {
			_, err = io.WriteString(part, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func describe(c *Ctx, form *Form) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v last=%s", form.Values, form.Value("a"))
	if f := form.File("file"); f != nil {
		data, err := io.ReadAll(f.Open())
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, " %s %s %d %v %.4s..%s", f.Name, f.ContentType, f.Size, f.OnDisk(), data, data[max(0, len(data)-4):])
	}
	return c.Text(200, b.String())
}

func TestForm(t *testing.T) {
	a, _ := newTest(t)
	h := func(c *Ctx) error {
		form, err := c.Form()
		if err != nil {
			return err
		}
		if again, err := c.Form(); again != form || err != nil {
			return errors.New("the form is not kept")
		}
		return describe(c, form)
	}
	a.Post("/form", h)
	a.Post("/few", func(c *Ctx) error {
		form, err := c.FormLimited(FormLimits{Fields: 2, Field: 10, AllFields: 20, File: 100, Memory: 10})
		if err != nil {
			return err
		}
		return describe(c, form)
	})
	s := start(t, a)
	const pairs = "application/x-www-form-urlencoded"
	big := "head" + strings.Repeat("x", 3<<20) + "tail"
	small, smallType := formBody(t, [][2]string{{"a", "1"}, {"a", "ä"}, {"b", ""}}, map[string]string{`../p"ath.txt`: "small"})
	large, largeType := formBody(t, nil, map[string]string{"big": big})
	three, threeType := formBody(t, [][2]string{{"a", "1"}, {"a", "2"}, {"a", "3"}}, nil)
	spooled, spooledType := formBody(t, nil, map[string]string{"f": "more than ten bytes"})
	tooBig, tooBigType := formBody(t, nil, map[string]string{"f": strings.Repeat("x", 101)})
	for _, c := range []struct {
		name, path, body, contentType string
		status                        int
		want                          string
	}{
		{"pairs", "/form", "a=1&a=%C3%A4+b&b", pairs + "; charset=utf-8", 200, "map[a:[1 ä b] b:[]] last=ä b"},
		{"multipart", "/form", small, smallType, 200, `map[a:[1 ä] b:[]] last=ä p"ath.txt application/octet-stream 5 false smal..mall`},
		{"disk", "/form", large, largeType, 200, "map[] last= big application/octet-stream 3145736 true head..tail"},
		{"empty", "/form", "", pairs, 200, "map[] last="},
		{"type", "/form", "{}", "application/json", 415, "unsupported_media_type"},
		{"no boundary", "/form", "--b--", "multipart/form-data", 400, "no valid boundary"},
		{"cut", "/form", small[:len(small)-10], smallType, 400, "ends before its last boundary"},
		{"not UTF-8", "/form", "a=%ff", pairs, 400, "not UTF-8"},
		{"a million keys", "/form", strings.Repeat("a&", 1_000_000), pairs, 413, "more than 1000 fields"},
		{"too large", "/form", "a=" + strings.Repeat("x", 3<<20), pairs, 413, "2097152 bytes together"},
		{"one field too large", "/form", "a=" + strings.Repeat("x", 3<<19), pairs, 413, "a field of the form is over 1048576"},
		{"few pairs", "/few", "a&b&c", pairs, 413, "more than 2 fields"},
		{"few parts", "/few", three, threeType, 413, "more than 2 fields"},
		{"long pair", "/few", "a=12345678901", pairs, 413, "over 10 bytes"},
		{"little memory", "/few", spooled, spooledType, 200, "map[] last= f application/octet-stream 19 true more..ytes"},
		{"file too large", "/few", tooBig, tooBigType, 413, "over 100 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ask(t, s, "POST", c.path, c.body, "content-type", c.contentType)
			if got.err != nil || got.status != c.status || !strings.Contains(got.body, c.want) || c.status == 200 && got.body != c.want {
				t.Errorf("%d %v %.300s, want %d %s", got.status, got.err, got.body, c.status, c.want)
			}
		})
	}
}

// TestFormEnds looks for what forms leave behind: in the directory for temporary files, and as descriptors.
func TestFormEnds(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	a, _ := newTest(t)
	seen := make(chan *Form, 8)
	for path, end := range map[string]func(c *Ctx) error{
		"/ok":    func(c *Ctx) error { return c.Text(200, "ok") },
		"/fail":  func(*Ctx) error { return fault.New(fault.Conflict, "") },
		"/panic": func(*Ctx) error { panic("after the form") },
		"/abort": func(*Ctx) error { panic(http.ErrAbortHandler) },
	} {
		a.Post(path, func(c *Ctx) error {
			form, err := c.Form()
			if err != nil {
				return err
			}
			seen <- form
			if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
				return fmt.Errorf("the file has a name: %v %w", list, err)
			}
			return end(c)
		})
	}
	s := start(t, a)
	body, contentType := formBody(t, nil, map[string]string{"big": strings.Repeat("x", 2<<20)})
	for path, status := range map[string]int{"/ok": 200, "/fail": 409, "/panic": 500, "/abort": 0} {
		if got := ask(t, s, "POST", path, body, "content-type", contentType); got.status != status {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		var kept *Form
		select {
		case kept = <-seen:
		default:
			t.Errorf("%s: the handler has seen no form", path)
			continue
		}
		if _, err := kept.File("file").Open().Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: the file is still open: %v", path, err)
		}
	}
	// A body that is cut after some of its file was written.
	got := ask(t, s, "POST", "/ok", body[:len(body)-100], "content-type", contentType)
	if got.status != 400 {
		t.Errorf("cut: %d %s", got.status, got.body)
	}
	if list, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(list) > 0 {
		t.Errorf("left behind: %v %v", list, err)
	}
}

func TestMultipart(t *testing.T) {
	a, _ := newTest(t)
	a.Post("/all", func(c *Ctx) error {
		m, err := c.Multipart(FormLimits{})
		if err != nil {
			return err
		}
		var b strings.Builder
		var last *Part
		for {
			p, err := m.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if last != nil {
				if _, err := last.Read(make([]byte, 1)); !errors.Is(err, errPartOver) {
					return fmt.Errorf("a part that is over: %w", err)
				}
			}
			n, err := io.Copy(io.Discard, p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s %v %d;", p.Name, p.IsFile, n)
			last = p
		}
		return c.Text(200, b.String())
	})
	a.Post("/skip", func(c *Ctx) error {
		m, err := c.Multipart(FormLimits{Parts: 3})
		if err != nil {
			return err
		}
		for n := 0; ; n++ {
			if _, err := m.Next(); errors.Is(err, io.EOF) {
				return c.Text(200, fmt.Sprint(n))
			} else if err != nil {
				return err
			}
		}
	})
	s := start(t, a)
	body, contentType := formBody(t, [][2]string{{"a", "1"}, {"b", strings.Repeat("y", 2<<20)}}, map[string]string{"f": strings.Repeat("x", 1<<20)})
	four, fourType := formBody(t, [][2]string{{"a", ""}, {"a", ""}, {"a", ""}, {"a", ""}}, nil)
	for _, c := range []struct {
		path, body, contentType string
		status                  int
		want                    string
	}{
		{"/all", body, contentType, 200, "a false 1;b false 2097152;file true 1048576;"},
		{"/skip", body, contentType, 200, "3"},
		{"/skip", four, fourType, 413, "more than 3 parts"},
		{"/all", "a=1", "application/x-www-form-urlencoded", 415, ""},
		{"/all", "--x--", "multipart/form-data; boundary=y", 400, "last boundary"},
	} {
		got := ask(t, s, "POST", c.path, c.body, "content-type", c.contentType)
		if got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: %d %s", c.path, got.status, got.body)
		}
	}
}

func TestFormOnLoop(t *testing.T) {
	a, _ := newTest(t)
	a.Post("/inline", func(c *Ctx) error {
		form, err := c.FormLimited(FormLimits{Memory: 1})
		if err != nil {
			return err
		}
		return describe(c, form)
	}, Inline())
	s := start(t, a)
	if got := ask(t, s, "POST", "/inline", "a=1", "content-type", "application/x-www-form-urlencoded"); got.body != "map[a:[1]] last=1" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestTypedForm(t *testing.T) {
	type input struct {
		Title string   `form:"title"`
		Count int      `form:"count" default:"3"`
		Tags  []int    `form:"tag"`
		Photo *File    `form:"file"`
		All   []*File  `form:"file"`
		Note  *string  `form:"note"`
		Q     string   `query:"q" default:"x"`
		More  []string `form:"more"`
	}
	a, _ := newTest(t)
	a.Post("/", Typed(func(_ *Ctx, in input) (string, error) {
		return fmt.Sprint(in.Title, "|", in.Count, "|", in.Tags, "|", in.Photo == in.All[1], "|", in.Note == nil, "|", in.Q, "|", in.More), nil
	}))
	s := start(t, a)
	body, contentType := formBody(t, [][2]string{{"title", "hi"}, {"tag", "1"}, {"tag", "2"}}, map[string]string{"a": "1", "b": "2"})
	if got := ask(t, s, "POST", "/", body, "content-type", contentType); got.status != 200 || got.body != `"hi|3|[1 2]|true|true|x|[]"` {
		t.Errorf("%d %s", got.status, got.body)
	}
	got := ask(t, s, "POST", "/", "count=x&tag=1&tag=y", "content-type", "application/x-www-form-urlencoded")
	for _, field := range []string{"form.title", "form.count", "form.tag.1", "form.file"} {
		if got.status != 422 || !strings.Contains(got.body, `"`+field+`"`) {
			t.Errorf("%s: %d %s", field, got.status, got.body)
		}
	}
	for _, bad := range []func(){
		func() {
			Typed(func(*Ctx, struct {
				F string `form:"f"`
				J string
			}) (int, error) {
				return 0, nil
			})
		},
		func() {
			Typed(func(*Ctx, struct {
				F *File `form:"f" default:"x"`
			}) (int, error) {
				return 0, nil
			})
		},
		func() {
			Typed(func(*Ctx, struct {
				F *File `query:"f"`
			}) (int, error) {
				return 0, nil
			})
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("an input that cannot work is taken")
				}
			}()
			bad()
		}()
	}
}

func TestQueryValues(t *testing.T) {
	a, _ := newTest(t)
	a.Get("/", func(c *Ctx) error {
		v, err := c.QueryValues()
		if err != nil {
			return err
		}
		return c.Text(200, fmt.Sprint(len(v), v["a"]))
	})
	s := start(t, a)
	for query, want := range map[string]string{
		"a=1&a=%41&&b": "2 [1 A]", "": "0 []", strings.Repeat("a&", 999): "1 [" + strings.Repeat(" ", 998) + "]",
	} {
		if got := ask(t, s, "GET", "/?"+query, ""); got.body != want {
			t.Errorf("%.20q: %q", query, got.body)
		}
	}
	if got := ask(t, s, "GET", "/?"+strings.Repeat("a&", 1000), ""); got.status != 400 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
