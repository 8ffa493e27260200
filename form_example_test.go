package covet_test

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"

	"github.com/covetpy/covet"
)

// serveOnce answers one request without a network.
func serveOnce(app *covet.App, contentType, body string) string {
	h, err := covet.ToHTTP(app)
	if err != nil {
		return err.Error()
	}
	r := httptest.NewRequest("POST", "/photos", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.String()
}

func ExampleCtx_Form() {
	app := covet.New()
	app.Post("/photos", func(c *covet.Ctx) error {
		form, err := c.Form()
		if err != nil {
			return err // 400, 413 or 415
		}
		return c.Text(201, "a photo of "+form.Value("title"))
	})
	fmt.Println(serveOnce(app, "application/x-www-form-urlencoded", "title=a+cat"))
	// Output: a photo of a cat
}

func ExampleCtx_Multipart() {
	app := covet.New()
	app.Post("/photos", func(c *covet.Ctx) error {
		m, err := c.Multipart(covet.FormLimits{Parts: 10})
		if err != nil {
			return err
		}
		var total int64
		for {
			part, err := m.Next()
			if errors.Is(err, io.EOF) {
				return c.Text(201, fmt.Sprint(total, " bytes"))
			}
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, part)
			if err != nil {
				return err
			}
			total += n
		}
	})
	fmt.Println(serveOnce(app, "multipart/form-data; boundary=b",
		"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nhello\r\n--b--"))
	// Output: 5 bytes
}

func ExampleTyped_form() {
	type photo struct {
		Title string      `form:"title" default:"untitled"`
		File  *covet.File `form:"photo"`
	}
	app := covet.New()
	app.Post("/photos", covet.Typed(func(_ *covet.Ctx, in photo) (string, error) {
		n, err := io.Copy(io.Discard, in.File.Open())
		return fmt.Sprint(in.Title, " ", in.File.Name, " ", n), err
	}))
	fmt.Println(serveOnce(app, "multipart/form-data; boundary=b",
		"--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"cat.png\"\r\n\r\nhello\r\n--b--"))
	// Output: "untitled cat.png 5"
}
